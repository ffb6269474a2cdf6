"""The image, really built and really run."""

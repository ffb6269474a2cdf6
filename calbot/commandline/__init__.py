"""The commands of the command line, and where they work: here, or in the running service."""

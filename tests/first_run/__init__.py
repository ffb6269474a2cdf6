"""From an empty data directory to the first invitation, with nothing but a browser."""

"""Holds the fake Google to its promises: by the official client, and by clients that others wrote."""

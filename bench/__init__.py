"""The numbers to hold, measured side by side in one run: `python -m bench`."""

"""Calbot without Home Assistant: the Compose file, the units of systemd, and the guides."""

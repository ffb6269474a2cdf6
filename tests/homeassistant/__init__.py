"""A real Home Assistant beside the real service."""

"""A Supervisor of our own, with a Core behind it, for tests."""

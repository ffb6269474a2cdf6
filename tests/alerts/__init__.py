"""Alerts under test: the judge, the courier, and both on the virtual clock."""

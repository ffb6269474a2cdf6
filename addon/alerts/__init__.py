"""Alerts: what a person should hear of, told once, grouped, and solved aloud."""

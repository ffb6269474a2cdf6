"""Takes over the directory of an earlier calendar bot: what it had invited, its settings, its sign-ins."""

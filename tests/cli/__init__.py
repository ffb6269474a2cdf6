"""The command line: what it prints, what it does, and its exit codes."""

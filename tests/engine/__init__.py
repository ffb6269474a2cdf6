"""The engine's promises, one test each."""

"""One SQLite file that remembers everything: functions over a transaction, a module for each thing."""

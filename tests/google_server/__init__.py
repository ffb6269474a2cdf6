"""A faithful fake Google for tests: calendar, sign-in and Gmail sending, with push, guests' copies, faults and quotas."""

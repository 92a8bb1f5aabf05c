"""The imperative shell: executor, journal, locks, deadlines, progress."""

"""Collector operations: the journal of a manager on this host."""

"""Planners: pure functions from a snapshot and a goal to a list of steps."""

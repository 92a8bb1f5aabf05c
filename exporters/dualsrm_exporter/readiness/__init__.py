"""Collector readiness: what the manager saw of both hosts when it last looked."""

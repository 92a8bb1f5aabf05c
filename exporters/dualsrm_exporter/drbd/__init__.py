"""Collector drbd: DRBD of this host, and what the host's side of dualsrm keeps about it."""

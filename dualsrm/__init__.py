"""Live-migration-capable failover manager for KVM guests on two-host DRBD pairs."""

__version__ = "0.1.0.dev0"

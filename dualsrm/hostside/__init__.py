"""What runs on the hosts: DRBD's fence-peer handler, its counterpart, the guard of a window, the dead-man.

Only the standard library, `dualsrm.model`, `dualsrm.replication` and the DRBD reader are imported: these programs run
while a guest's I/O is frozen, with the manager possibly dead, from a host's bare Python.
"""

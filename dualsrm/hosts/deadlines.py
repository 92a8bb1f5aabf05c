"""How long each call outside may take, in seconds, and why just that long.

A lab node pays 0.1 s for a fork, 1 to 3 s for an SSH handshake and tens of seconds for libvirt's first look at QEMU; a
host under load is no better. A deadline is there to keep the manager answering, not to judge the host, so each is a
few times what was measured, and short only where a frozen guest is known to make the call hang.
"""

from __future__ import annotations

from typing import Final

TCP_S: Final = 5.0
"""A host that is there answers one of three SYNs sent within 3 s, whatever its load: its kernel does it. One that is
gone costs all of this while the neighbour table has it: with 10 s that was two thirds of a failover's look."""

CONNECT_S: Final = 10.0
"""Each phase of the SSH handshake: 1 to 3 s in the lab."""

CONNECT_ALL_S: Final = 25.0
"""The phases together, each near its limit but none past it."""

KEEPALIVE_S: Final = 5.0
"""How often an idle connection sends something, so that a dead path is noticed by TCP at all."""

DEAD_PATH_S: Final = 20.0
"""Unacknowledged data for this long ends the connection (TCP_USER_TIMEOUT): TCP's own patience is 15 minutes."""

PROBE_S: Final = 20.0
"""Some ten processes on the host at 0.1 s each in the lab, and a drbdadm that waits for DRBD's configuration lock."""

DRBD_READ_S: Final = 15.0
"""Two processes; drbdsetup may wait a few seconds for the kernel's genetlink mutex behind another command."""

DRBD_CHANGE_S: Final = 30.0
"""drbdadm gives drbdsetup 5 s before it calls it stuck, and a promote may run a fence-peer handler first."""

MOUNTS_READ_S: Final = 10.0
"""One process, a text from the kernel's memory."""

MOUNT_S: Final = 60.0
"""A journal is replayed, or the page cache written out: gigabytes at the speed of the replication link."""

PROCESS_TABLE_S: Final = 15.0
"""One pass over /proc, thousands of entries on a busy host."""

LOCK_S: Final = 10.0
"""One shell, a file in memory."""

LIBVIRT_OPEN_S: Final = 20.0
"""The SSH handshake, one process on the host, then a handful of messages."""

LIBVIRT_READ_S: Final = 15.0
"""A list or a description: answered from libvirtd's memory, but after whatever holds the domain's lock."""

LIBVIRT_JOB_S: Final = 3.0
"""Job information of one guest. It hangs while the guest's I/O is frozen, which is no news worth waiting for."""

LIBVIRT_POLL_S: Final = 2.0
"""The figures of a migration that is over, asked inside the window."""

LIBVIRT_ABORT_S: Final = 5.0
"""Aborting blocks while the source's I/O is frozen; the end is awaited elsewhere."""

LIBVIRT_STEER_S: Final = 5.0
"""A longer pause, post-copy, a suspended guest: one QMP command each, under 2 s in the lab. It is asked again."""

LIBVIRT_DESTROY_S: Final = 90.0
"""libvirt sends SIGTERM, waits 10 s, sends SIGKILL and waits 30 s more (virProcessKillPainfully), then cleans up."""

LIBVIRT_ASK_S: Final = 10.0
"""The power button is one QMP command; an agent that is configured and not running makes libvirt wait 5 s."""

LIBVIRT_START_S: Final = 90.0
"""libvirt starts QEMU and waits for its monitor, 30 s by default, then plugs everything in."""

LIBVIRT_CAPABILITIES_S: Final = 60.0
"""The first question after boot makes libvirtd start QEMU to ask it: 27 s in the lab. Later it is one message."""

PEER_S: Final = 30.0
"""virsh on the source starts ssh to the target: two processes and a handshake on either side."""

CLOSE_S: Final = 3.0
"""Saying goodbye is a courtesy."""

GUARD_ARM_S: Final = 45.0
"""The guard starts Python, a systemd unit and an ssh connection to the peer: 2 s in the lab, more when it is loaded."""

GUARD_RELEASE_S: Final = 30.0
"""A look at DRBD, and a few changes where something was left open."""

GUARD_BEAT_S: Final = 5.0
"""Between two heartbeats; the guard's lease (hostside.guard.LEASE_S) is six of them."""

PEER_STATUS_S: Final = 95.0
"""The survivor asks a lost peer by ssh, 30 s at most, and a fence agent, 60 s, at once; then the journal."""

FENCE_S: Final = 330.0
"""A status (60 s), the switch (60 s), and a minute until the status shows it, whose last look may take 60 s as well."""

NOTED_S: Final = 20.0
"""One file in memory; Python takes its time to start on a loaded host."""

PROBE_NETWORK_S: Final = 5.0
"""A connection or an echo; a guest that is up answers in milliseconds, and it is asked again."""

PROBE_COMMAND_S: Final = 10.0
"""A page, or a program that looks for itself; documented in docs/configuration.md."""

LIBVIRT_AGENT_S: Final = 8.0
"""libvirt itself waits 5 s for an agent that does not answer."""

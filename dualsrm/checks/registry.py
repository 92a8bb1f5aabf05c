"""The table of checks. The order is the order of the report; identifiers are stable: scripts and alerts name them."""

from __future__ import annotations

from dataclasses import dataclass

from dualsrm.checks import disks, filesystem, guest, hosts, policy, quarantine, replication, target
from dualsrm.checks.case import Run


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its stable name, what it asks for in one line, and the function that looks."""

    id: str
    wants: str
    run: Run


REGISTRY: tuple[Check, ...] = (
    Check("host-answers", "ssh, DRBD and libvirt of both hosts answer", hosts.host_answers),
    Check("pair-unlocked", "no other operation holds the pair's lock", hosts.pair_unlocked),
    Check("journal-closed", "no earlier operation is unfinished", hosts.journal_closed),
    Check("quarantine", "the target has been resynced since it was lost", quarantine.quarantine),
    Check("peer-link", "the source's libvirtd reaches the target's with its own credentials", hosts.peer_link),
    Check("no-other-manager", "nobody else manages DRBD or the guests", hosts.no_other_manager),
    Check("guest-on-source", "the guest runs, or is paused by a person, on the source", guest.guest_on_source),
    Check("guest-no-job", "libvirt has no job on the guest", guest.guest_no_job),
    Check("guest-not-on-target", "the guest is not active on the target", guest.guest_not_on_target),
    Check("guest-same-uuid", "name and UUID of the guest agree on both hosts", guest.guest_same_uuid),
    Check("autostart-off", "no host starts the guest at boot by itself", guest.autostart_off),
    Check("no-host-devices", "the guest uses no device of its host", guest.no_host_devices),
    Check("disks-on-drbd", "every writable disk lies on DRBD", disks.disks_on_drbd),
    Check("disks-same-on-target", "each disk's path leads to the same volume there", disks.disks_same_on_target),
    Check("disk-cache", "no host cache below a writable disk", disks.caches_safe),
    Check("read-only-disks", "no medium that stays behind", disks.read_only_disks),
    Check("resource-not-shared", "no other guest on the guest's resources", disks.resource_not_shared),
    Check(
        "filesystem", "the file system of its group is mounted once, and not at boot", filesystem.filesystem_in_order
    ),
    Check("moves-alone", "the guest shares no file system with others", filesystem.moves_alone),
    Check("resource-up", "the guest's resources are up on both hosts", replication.resource_up),
    Check("replication-connected", "Connected, seen from both ends", replication.replication_connected),
    Check("replication-established", "no resync, verify or pause on any volume", replication.replication_established),
    Check("disks-up-to-date", "UpToDate on both sides, seen from both ends", replication.disks_up_to_date),
    Check("in-sync", "no block is marked out of sync", replication.in_sync),
    Check("roles", "Primary on the source, Secondary on the target", replication.roles),
    Check("io-not-suspended", "no I/O is frozen", replication.io_not_suspended),
    Check("quorum", "quorum is not lost (DRBD 9)", replication.quorum_held),
    Check("config-in-force", "DRBD's kernel state and files agree", replication.files_match_kernel),
    Check("window-closed", "two Primaries are not allowed at rest", policy.window_closed),
    Check("protocol-c", "replication is synchronous", policy.protocol_c),
    Check("after-split-brain", "no data is discarded automatically", policy.after_split_brain),
    Check("resync-role-conflict", "no resync onto a Primary", policy.resync_role_conflict),
    Check("fence-handler", "a lost link is answered by dualsrm's handler", policy.fence_handler),
    Check("fencing-policy", "a lost link outdates the Secondary and freezes nobody at rest", policy.fencing_policy),
    Check("cpu-compatible", "the target can give the guest its CPU", target.cpu_compatible),
    Check("machine-type", "the target's QEMU knows the guest's machine type", target.machine_known),
    Check("versions", "libvirt and QEMU of the target are not older", target.versions_not_older),
    Check("memory", "the target has memory for the guest and for QEMU", target.memory_on_target),
    Check("networks", "the target has the guest's bridges and networks", target.networks_on_target),
    Check("separate-networks", "memory and replication take different networks", hosts.separate_migration_network),
    Check("certificates", "QEMU's certificates for memory are on both hosts, if it is encrypted", hosts.certificates),
    Check("clocks", "the hosts' clocks agree", hosts.clocks_agree),
)

LIVE_ONLY = frozenset(
    {"peer-link", "cpu-compatible", "versions", "separate-networks", "certificates", "disk-cache", "fence-handler"}
)
"""Checks of what only a live move does: libvirt talks to libvirt, a running guest changes its CPU, two hosts have its
disks open."""

WITH_ITS_GROUP = LIVE_ONLY | {"moves-alone"}
"""Checks that say nothing about a guest that moves cold with all of its group."""

"""From a healthy pair, change one fact: exactly the check that looks at it must say so, with the names in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from dualsrm.checks import REGISTRY, blocking, check_move
from dualsrm.checks.case import on
from dualsrm.model import (
    Certificates,
    ConnectionState,
    CpuVerdict,
    Disk,
    DiskState,
    DomainState,
    FenceHandler,
    Finding,
    HostDevice,
    LockHolder,
    MoveFacts,
    Nic,
    PeerVolume,
    Quarantine,
    ReplicationState,
    Role,
    Severity,
    Snapshot,
    Unknown,
    Volume,
)
from tests import builders as b
from tests.builders import ALPHA, BETA, FACTS, MOVE

OK = b.snapshot()
FAILED, UNKNOWN, WARNING = Severity.FAILED, Severity.UNKNOWN, Severity.WARNING
NOBODY = Unknown("the reader timed out")


def findings(snapshot: Snapshot, facts: MoveFacts = FACTS, unfinished: str | None = None) -> tuple[Finding, ...]:
    return check_move(snapshot, MOVE, facts, unfinished)


def test_a_healthy_pair_passes_every_check() -> None:
    found = findings(OK)
    assert {finding.severity for finding in found} == {Severity.PASSED}
    assert {finding.check for finding in found} == {check.id for check in REGISTRY}
    assert all(finding.seen and finding.subject for finding in found)
    assert blocking(found) == ()


@dataclass(frozen=True)
class Changed:
    """One changed fact and what must come of it."""

    what: str
    snapshot: Snapshot
    check: str
    severity: Severity
    says: tuple[str, ...] = ()
    fix: str = ""
    facts: MoveFacts = FACTS
    also: tuple[str, ...] = ()
    """Other checks that look at the same fact."""


HOLDER = LockHolder("20260101-migrate", "manager1", "2026-01-01T00:00:00+00:00")
CDROM = Disk("sda", "cdrom", "file", "/iso/debian.iso", "default")
OTHER = b.domain("mail", uuid="other", disks=(b.disk(source="/dev/drbd/by-res/web/0"),))
OFF = replace(OTHER, state=DomainState.SHUTOFF)
STANDALONE = ConnectionState.STANDALONE


HANDLER_LINE = 'handlers { fence-peer "/usr/sbin/dualsrm-host fence-peer"; }'
DRIFTED = b.change_drbd(OK, BETA, drift=("drbdsetup-84 disk-options 0 --set-defaults --fencing=resource-only",))


def handled_by(command: str, *, runnable: bool = True) -> Snapshot:
    return b.change_drbd(OK, ALPHA, handlers={"web": FenceHandler(command, runnable=runnable)})


def memory_to(address: str) -> Snapshot:
    return replace(OK, hosts={**OK.hosts, BETA: replace(OK.hosts[BETA], migration_address=address)})


HOSTS = (
    Changed("lock held", replace(OK, locks={ALPHA: None, BETA: HOLDER}), "pair-unlocked", FAILED, ("20260101-migrate",
            "manager1", "lab"), "dualsrm recover"),
    Changed("lock unknown", replace(OK, locks={ALPHA: None, BETA: NOBODY}), "pair-unlocked", UNKNOWN, ("beta",)),
    Changed("lock not read", replace(OK, locks={}), "pair-unlocked", UNKNOWN, ("alpha",)),
    Changed("peer silent", OK, "peer-link", UNKNOWN, ("alpha", "beta", "timed out"),
            "ssh alpha 'virsh -c qemu+ssh://beta/system hostname'", replace(FACTS, peer_link=NOBODY)),
    Changed("peer is self", OK, "peer-link", FAILED, ("reaches itself",), "peer_uri", replace(FACTS, peer_link=ALPHA)),
    Changed("peer renamed", OK, "peer-link", WARNING, ("node7",), "peer_uri", replace(FACTS, peer_link="node7")),
    Changed("quarantine", b.change_system(OK, ALPHA, quarantined=(Quarantine(BETA, "2026", "op1"),)), "quarantine",
            FAILED, ("beta is in quarantine since 2026", "op1"), "dualsrm reprotect -- beta"),
    Changed("pacemaker", b.change_system(OK, BETA, other_managers=("pacemaker",)), "no-other-manager", FAILED,
            ("pacemaker", "beta"), "maintenance-mode"),
    Changed("reactor", b.change_system(OK, ALPHA, other_managers=("drbd-reactor",)), "no-other-manager", FAILED,
            ("drbd-reactor", "alpha"), "ssh alpha 'systemctl disable --now drbd-reactor'"),
    Changed("hook", b.change_system(OK, ALPHA, other_managers=("libvirt hook /etc/libvirt/hooks/qemu.d/a b",)),
            "no-other-manager", FAILED, ("hook",), on(ALPHA, "chmod", "a-x", "/etc/libvirt/hooks/qemu.d/a b")),
    Changed("shared link", memory_to("10.79.1.12"),
            "separate-networks", WARNING, ("10.79.1.12",), "migration_address"),
    Changed("shared subnet", memory_to("10.79.1.7"),
            "separate-networks", WARNING, ("the same network",)),
    Changed("named address", memory_to("beta-mem"),
            "separate-networks", WARNING, ("beta-mem",)),
    Changed("addresses unread", b.change_connection(OK, BETA, local_address=None), "separate-networks", WARNING),
    Changed("hosts not given", replace(OK, hosts={}), "separate-networks", WARNING),
    Changed("no certificates", b.change_system(OK, BETA, certificates=Certificates("/x", ("server-key.pem",))),
            "certificates", FAILED, ("server-key.pem not in /x on beta",), 'transport = "tcp"'),
    Changed("certificates unread", b.change_system(OK, ALPHA, certificates=NOBODY), "certificates", UNKNOWN,
            ("alpha",)),
    Changed("skew", b.change_system(OK, BETA, clock_offset_seconds=-3.0), "clocks", WARNING, ("3.1 s",)),
)  # fmt: skip

GUEST = (
    Changed("shut off", b.change_domain(OK, ALPHA, state=DomainState.SHUTOFF), "guest-on-source", FAILED,
            ("web", "shutoff"), "ssh alpha 'virsh start web'"),
    Changed("asleep", b.change_domain(OK, ALPHA, state=DomainState.PM_SUSPENDED), "guest-on-source", FAILED,
            ("pmsuspended",), "dompmwakeup"),
    Changed("odd state", b.change_domain(OK, ALPHA, state=DomainState("hovering")), "guest-on-source", UNKNOWN,
            ("hovering",)),
    Changed("paused, I/O", b.change_domain(OK, ALPHA, state=DomainState.PAUSED, reason="ioerror"), "guest-on-source",
            FAILED, ("ioerror",), "domblkerror web"),
    Changed("paused, migration", b.change_domain(OK, ALPHA, state=DomainState.PAUSED, reason="migration"),
            "guest-on-source", FAILED, ("migration",), "dualsrm recover"),
    Changed("running, post-copy", b.change_domain(OK, ALPHA, reason="postcopy"), "guest-on-source", FAILED,
            ("postcopy",), "dualsrm recover"),
    Changed("paused, why?", b.change_domain(OK, ALPHA, state=DomainState.PAUSED, reason="unknown"), "guest-on-source",
            FAILED, ("unknown",), "virsh resume web"),
    Changed("job", b.change_domain(OK, ALPHA, job_active=True), "guest-no-job", FAILED, ("web",), "domjobabort web"),
    Changed("job unknown", b.change_domain(OK, ALPHA, job_active=NOBODY), "guest-no-job", UNKNOWN, ("timed out",)),
    Changed("on target", b.add_domain(OK, BETA, replace(b.domain(), state=DomainState.PAUSED)), "guest-not-on-target",
            FAILED, ("beta", "paused"), "dualsrm recover"),
    Changed("other uuid", b.add_domain(OK, BETA, replace(b.domain(uuid="x1"), state=DomainState.SHUTOFF)),
            "guest-same-uuid", FAILED, ("x1", b.UUID), "ssh beta 'virsh undefine --keep-nvram web'"),
    Changed("other name", b.add_domain(OK, BETA, replace(b.domain("bew", disks=()), state=DomainState.SHUTOFF)),
            "guest-same-uuid", FAILED, ("bew",), "undefine --keep-nvram bew"),
    Changed("autostart here", b.change_domain(OK, ALPHA, autostart=True), "autostart-off", FAILED, ("alpha",),
            "ssh alpha 'virsh autostart --disable web'"),
    Changed("autostart there", b.add_domain(OK, BETA, replace(b.domain(), state=DomainState.SHUTOFF, autostart=True)),
            "autostart-off", FAILED, ("beta",), "ssh beta 'virsh autostart --disable web'"),
    Changed("hostdev", b.change_domain(OK, ALPHA, host_devices=(HostDevice("hostdev", "pci 0000:03:00.0"),)),
            "no-host-devices", FAILED, ("hostdev", "0000:03:00.0"), "ssh alpha 'virsh edit web'"),
)  # fmt: skip

DISKS = (
    Changed("file", b.add_disk(OK, ALPHA, Disk("vdb", "disk", "file", "/img/a.qcow2", "none")), "disks-on-drbd", FAILED,
            ("vdb", "/img/a.qcow2"), "virsh edit web"),
    Changed("plain LV", b.add_disk(OK, ALPHA, b.disk("vdb", "/dev/vg/web")), "disks-on-drbd", FAILED, ("/dev/vg/web",)),
    Changed("down minor", b.add_disk(OK, ALPHA, b.disk("vdb", "/dev/drbd9")), "disks-on-drbd", FAILED, ("minor 9",)),
    Changed("no source", b.add_disk(OK, ALPHA, b.disk("vdb", None)), "disks-on-drbd", FAILED, ("vdb",)),
    Changed("diskless guest", b.change_domain(OK, ALPHA, disks=()), "disks-on-drbd", WARNING,
            also=("separate-networks",)),
    Changed("other volume there", b.change_volume(OK, BETA, number=7), "disks-same-on-target", FAILED,
            ("/dev/drbd0", "web/7", "beta"), "drbdadm adjust web", also=("replication-established",)),
    Changed("other minor there", b.change_volume(OK, BETA, minor=5), "disks-same-on-target", FAILED, ("minor 0",
            "beta")),
    Changed("writeback", b.change_disk(OK, ALPHA, cache="writeback"), "disk-cache", FAILED, ("vda", "writeback"),
            "virsh edit web"),
    Changed("default cache", b.change_disk(OK, ALPHA, cache="default"), "disk-cache", FAILED, ("default",)),
    Changed("iso", b.add_disk(OK, ALPHA, CDROM), "read-only-disks", FAILED, ("sda", "/iso/debian.iso"),
            "ssh alpha 'virsh change-media --eject --live web sda'"),
    Changed("read-only LV", b.add_disk(OK, ALPHA, replace(b.disk("vdb", "/dev/vg/x"), read_only=True)),
            "read-only-disks",
            FAILED, ("vdb",), "detach-disk --live web vdb"),
    Changed("iso by net", b.add_disk(OK, ALPHA, replace(CDROM, source_type="network")), "read-only-disks", WARNING),
    Changed("shared", b.add_domain(OK, ALPHA, OTHER), "resource-not-shared", FAILED, ("mail", "web", "alpha"),
            "ssh alpha 'virsh shutdown mail'"),
    Changed("shared, off", b.add_domain(OK, BETA, OFF), "resource-not-shared", WARNING, ("mail", "beta")),
)  # fmt: skip

REPLICATION = (
    Changed("down there", b.change_drbd(OK, BETA, resources=()), "resource-up", FAILED, ("web", "beta"),
            "ssh beta 'drbdadm up web'", also=tuple(check.id for check in REGISTRY)),
    Changed("standalone", b.change_connection(OK, BETA, state=STANDALONE), "replication-connected", FAILED,
            ("StandAlone", "beta"), "ssh beta 'drbdadm adjust web'"),
    Changed("connecting", b.change_connection(OK, BETA, state=ConnectionState.CONNECTING), "replication-connected",
            FAILED,
            ("Connecting",), "ssh alpha 'drbdadm adjust web'"),
    Changed("odd connection", b.change_connection(OK, ALPHA, state=ConnectionState("Humming")), "replication-connected",
            UNKNOWN, ("Humming",)),
    Changed("resync", b.change_peer_volume(OK, ALPHA, replication=ReplicationState.SYNC_SOURCE, done_ratio=0.42),
            "replication-established", FAILED, ("SyncSource", "42%"), "drbdadm status web"),
    Changed("verify", b.change_peer_volume(OK, BETA, replication=ReplicationState.VERIFY_T), "replication-established",
            FAILED, ("VerifyT", "beta")),
    Changed("paused sync", b.change_peer_volume(OK, BETA, replication=ReplicationState.PAUSED_SYNC_T),
            "replication-established", FAILED, ("PausedSyncT",), "ssh beta 'drbdadm resume-sync web'"),
    Changed("resync suspended", b.change_peer_volume(OK, BETA, resync_suspended=("peer",)), "replication-established",
            FAILED, ("suspended by peer",), "ssh alpha 'drbdadm resume-sync web'"),
    Changed("odd replication", b.change_peer_volume(OK, BETA, replication=ReplicationState("Dancing")),
            "replication-established", UNKNOWN, ("Dancing",)),
    Changed("no peer volume", b.change_connection(OK, ALPHA, volumes=()), "replication-established", FAILED,
            ("web/0", "beta")),
    Changed("diskless", b.change_volume(OK, BETA, disk=DiskState.DISKLESS), "disks-up-to-date", FAILED,
            ("Diskless", "web/0", "beta"), "ssh beta 'drbdadm attach web/0'"),
    Changed("peer outdated", b.change_peer_volume(OK, ALPHA, peer_disk=DiskState.OUTDATED), "disks-up-to-date", FAILED,
            ("Outdated", "on beta", "seen from alpha"), "ssh beta 'drbdadm adjust web'"),
    Changed("DUnknown", b.change_peer_volume(OK, BETA, peer_disk=DiskState.UNKNOWN), "disks-up-to-date", UNKNOWN,
            ("DUnknown", "on alpha")),
    Changed("odd disk", b.change_volume(OK, ALPHA, disk=DiskState("Shiny")), "disks-up-to-date", UNKNOWN, ("Shiny",)),
    Changed("out of sync", b.change_peer_volume(OK, ALPHA, out_of_sync_bytes=4096), "in-sync", WARNING, ("4096",
            "web/0")),
    Changed("source Secondary", b.change_resource(OK, ALPHA, role=Role.SECONDARY), "roles", FAILED,
            ("Secondary on alpha",),
            "ssh alpha 'drbdadm primary web'"),
    Changed("target Primary", b.change_resource(OK, BETA, role=Role.PRIMARY), "roles", FAILED, ("Primary on beta",),
            "dualsrm recover"),
    Changed("peer role unknown", b.change_connection(OK, ALPHA, peer_role=Role.UNKNOWN), "roles", UNKNOWN,
            ("Unknown on beta",)),
    Changed("odd role", b.change_resource(OK, BETA, role=Role("Tertiary")), "roles", UNKNOWN, ("Tertiary",)),
    Changed("frozen by user", b.change_resource(OK, ALPHA, suspended=("user",)), "io-not-suspended", FAILED, ("user",),
            "ssh alpha 'drbdadm resume-io web'"),
    Changed("frozen for fencing", b.change_resource(OK, ALPHA, suspended=("fencing",)), "io-not-suspended", FAILED,
            ("fencing",), "dualsrm recover"),
    Changed("frozen for data", b.change_resource(OK, BETA, suspended=("no-data",)), "io-not-suspended", FAILED,
            ("no-data",), "ssh beta 'drbdadm adjust web'"),
    Changed("no quorum", b.change_volume(OK, BETA, quorum=False), "quorum", FAILED, ("beta", "web/0")),
    Changed("drift", b.change_drbd(OK, BETA, drift=("drbdsetup net-options a b", "x")), "config-in-force", FAILED,
            ("net-options", "1 more", "beta"), "ssh beta 'drbdadm adjust all'"),
    Changed("drift unknown", b.change_drbd(OK, ALPHA, drift=NOBODY), "config-in-force", UNKNOWN, ("timed out",)),
)  # fmt: skip

POLICY = (
    Changed("stale window", b.change_options(OK, BETA, allow_two_primaries=True), "window-closed", FAILED,
            ("web", "beta"), "dualsrm recover"),
    Changed("protocol A", b.change_options(OK, ALPHA, protocol="A"), "protocol-c", FAILED, ("protocol A",),
            "ssh beta 'drbdadm adjust web'"),
    Changed("2pri", b.change_options(OK, ALPHA, after_sb_2pri="call-pri-lost-after-sb"), "after-split-brain", FAILED,
            ("after-sb-2pri", "call-pri-lost-after-sb"), "after-sb-2pri disconnect;"),
    Changed("1pri", b.change_options(OK, ALPHA, after_sb_1pri="consensus"), "after-split-brain", WARNING,
            ("consensus",)),
    Changed("0pri", b.change_options(OK, BETA, after_sb_0pri="discard-zero-changes"), "after-split-brain", WARNING,
            ("discard-zero-changes", "beta")),
    Changed("rr", b.change_options(OK, BETA, rr_conflict="violently"), "resync-role-conflict", FAILED, ("violently",)),
    Changed("no handler", b.change_drbd(OK, BETA, handlers={}), "fence-handler", FAILED,
            ("no fence-peer handler on beta",), f"'{HANDLER_LINE}' and 'disk {{ fencing resource-only; }}'"),
    Changed("no handler, DRBD 9", b.change_drbd(OK, BETA, handlers={}, version="9.2.18"), "fence-handler", FAILED, (),
            "'net { fencing resource-only; }'"),
    Changed("other handler", handled_by("/usr/lib/drbd/crm-fence-peer.9.sh"), "fence-handler", FAILED,
            ("not dualsrm's: /usr/lib/drbd/crm-fence-peer.9.sh", "alpha"), "ssh beta 'drbdadm adjust web'"),
    Changed("no program", handled_by("/opt/bin/dualsrm-host fence-peer", runnable=False), "fence-handler", FAILED,
            ("missing on alpha", "/opt/bin/dualsrm-host is no program"),
            "ssh alpha 'ln -s /opt/dualsrm/bin/dualsrm-host /opt/bin/dualsrm-host'"),
    Changed("no helper", b.change_drbd(OK, BETA, helper="/bin/true"), "fence-handler", FAILED,
            ("calls /bin/true", "beta"), "usermode_helper"),
    Changed("empty helper", b.change_drbd(OK, BETA, helper=""), "fence-handler", FAILED, ("calls nothing",)),
    Changed("handlers unknown", b.change_drbd(OK, ALPHA, handlers=NOBODY), "fence-handler", UNKNOWN, ("timed out",),
            "ssh alpha 'drbdadm -d fence-peer web'"),
    Changed("helper unknown", b.change_drbd(OK, ALPHA, helper=NOBODY), "fence-handler", UNKNOWN, ("timed out",),
            "ssh alpha 'cat /sys/module/drbd/parameters/usermode_helper'"),
    Changed("no fencing", b.change_options(OK, BETA, fencing="dont-care"), "fencing-policy", FAILED,
            ("dont-care", "beta"), "'disk { fencing resource-only; }'"),
    Changed("half fencing", b.change_options(OK, BETA, fencing="dont-care/resource-only"), "fencing-policy", FAILED,
            ("dont-care/resource-only",)),
    Changed("fencing of files", b.change_options(OK, BETA, fencing="resource-and-stonith"), "fencing-policy", FAILED,
            ("resource-and-stonith", "beta"), "the files ask for it"),
    Changed("fencing of a move", b.change_options(DRIFTED, BETA, fencing="resource-and-stonith"), "fencing-policy",
            FAILED, ("resource-and-stonith",), "dualsrm recover", also=("config-in-force",)),
)  # fmt: skip

TARGET = (
    Changed("cpu", OK, "cpu-compatible", FAILED, ("beta", "web"), "hypervisor-cpu-compare",
            replace(FACTS, cpu=CpuVerdict.INCOMPATIBLE)),
    Changed("cpu unknown", OK, "cpu-compatible", UNKNOWN, ("timed out",), "hypervisor-cpu-compare",
            replace(FACTS, cpu=NOBODY)),
    Changed("machine", b.change_libvirt(OK, BETA, machines=frozenset({"pc-q35-6.0"})), "machine-type", FAILED,
            ("pc-i440fx-7.2", "beta")),
    Changed("machines unknown", b.change_libvirt(OK, BETA, machines=NOBODY), "machine-type", UNKNOWN, ("timed out",)),
    Changed("old QEMU", b.change_libvirt(OK, BETA, hypervisor_version=7_001_009), "versions", FAILED,
            ("QEMU is 7.1.9 on beta", "7.2.0 on alpha")),
    Changed("old libvirt", b.change_libvirt(OK, BETA, libvirt_version=8_010_000), "versions", FAILED, ("8.10.0",)),
    Changed("memory", b.change_libvirt(OK, BETA, free_memory_bytes=300 * b.MIB), "memory", FAILED,
            ("300 MiB free", "352 MiB needed")),
    Changed("memory unknown", b.change_libvirt(OK, BETA, free_memory_bytes=NOBODY), "memory", UNKNOWN, ("beta",)),
    Changed("hugepages", b.change_domain(OK, ALPHA, hugepages=True), "memory", WARNING, ("huge pages",), "freepages"),
    Changed("no bridge", b.change_system(OK, BETA, interfaces=frozenset({"vec1"})), "networks", FAILED, ("br0", "beta"),
            "ssh alpha 'ip -details link show br0'"),
    Changed("no network", b.change_domain(OK, ALPHA, nics=(Nic("network", "lan"),)), "networks", FAILED, ("lan",
            "beta"),
            "ssh beta 'virsh net-start lan'"),
    Changed("no device", b.change_domain(OK, ALPHA, nics=(Nic("direct", "eth9"),)), "networks", FAILED, ("eth9",)),
    Changed("odd nic", b.change_domain(OK, ALPHA, nics=(Nic("vhostuser", None),)), "networks", UNKNOWN, ("vhostuser",)),
)  # fmt: skip

ALL = HOSTS + GUEST + DISKS + REPLICATION + POLICY + TARGET


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.what)
def test_one_changed_fact_is_found_by_the_check_that_looks_at_it(case: Changed) -> None:
    found = [finding for finding in findings(case.snapshot, case.facts) if finding.severity is not Severity.PASSED]
    hits = [finding for finding in found if finding.check == case.check]
    assert [finding.severity for finding in hits] == [case.severity] * len(hits)
    assert hits, found
    assert {finding.check for finding in found} - {case.check} <= set(case.also)
    text = " / ".join(finding.seen for finding in hits)
    assert all(word in text for word in case.says), text
    assert case.fix in " / ".join(finding.fix for finding in hits)
    assert all(finding.why for finding in hits)
    assert all(finding.fix for finding in blocking(hits))


def test_every_check_has_a_case_that_makes_it_speak() -> None:
    apart = {"host-answers", "journal-closed", "filesystem", "moves-alone"}  # the last two: test_checks_filesystem
    assert {case.check for case in ALL} | apart == {check.id for check in REGISTRY}


def test_an_unfinished_operation_blocks() -> None:
    (finding,) = blocking(findings(OK, unfinished="20260101-migrate"))
    assert (finding.check, finding.fix) == ("journal-closed", "dualsrm recover")
    assert "20260101-migrate" in finding.seen


HARMLESS = {
    "paused by a person": b.change_domain(OK, ALPHA, state=DomainState.PAUSED, reason="user"),
    "directsync": b.change_disk(OK, ALPHA, cache="directsync"),
    "by-res path": b.change_disk(OK, ALPHA, source="/dev/drbd/by-res/web/0"),
    "empty drive": b.add_disk(OK, ALPHA, replace(CDROM, source=None)),
    "read-only on its own resource": b.add_disk(OK, ALPHA, replace(b.disk("vdb"), read_only=True)),
    "defined there, same uuid": b.add_domain(OK, BETA, replace(b.domain(), state=DomainState.SHUTOFF)),
    "quorum held": b.change_volume(OK, BETA, quorum=True),
    "no nic": b.change_domain(OK, ALPHA, nics=()),
    "handler elsewhere": handled_by("/opt/dualsrm-0.1/bin/dualsrm-host fence-peer"),
    "drbdadm elsewhere": b.change_drbd(OK, BETA, helper="/usr/sbin/drbdadm"),
    "user nic": b.change_domain(OK, ALPHA, nics=(Nic("user", None),)),
    "network there": b.change_domain(OK, ALPHA, nics=(Nic("network", "default"),)),
    "newer target": b.change_libvirt(OK, BETA, libvirt_version=10_000_000, hypervisor_version=9_000_000),
    "small skew": b.change_system(OK, BETA, clock_offset_seconds=-1.0),
    "fully qualified peer": OK,
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_as_good_passes_too(what: str) -> None:
    facts = replace(FACTS, peer_link="beta.example.net") if what == "fully qualified peer" else FACTS
    assert {finding.severity for finding in findings(HARMLESS[what], facts)} == {Severity.PASSED}


def test_a_guest_that_names_no_cpu_needs_no_comparison() -> None:
    snapshot = b.change_domain(OK, ALPHA, cpu_xml=None)
    assert blocking(findings(snapshot, replace(FACTS, cpu=NOBODY))) == ()


def second_volume(held_open: bool | None) -> Snapshot:
    snapshot = OK
    for host in b.HOSTS:
        volumes = (Volume(0, 0, DiskState.UP_TO_DATE), Volume(1, 1, DiskState.UP_TO_DATE, held_open=held_open))
        copies = tuple(PeerVolume(n, ReplicationState.ESTABLISHED, DiskState.UP_TO_DATE) for n in (0, 1))
        snapshot = b.change_connection(b.change_resource(snapshot, host, volumes=volumes), host, volumes=copies)
    return snapshot


@pytest.mark.parametrize(("held_open", "severity"), [(None, WARNING), (True, FAILED), (False, Severity.PASSED)])
def test_a_volume_the_guest_does_not_use_may_stop_the_demotion(held_open: bool | None, severity: Severity) -> None:
    answers = [finding for finding in findings(second_volume(held_open)) if finding.check == "resource-not-shared"]
    assert [finding.severity for finding in answers] == [severity]
    assert severity is Severity.PASSED or ("web/1" in answers[0].seen and "/dev/drbd1" in answers[0].fix)


def test_a_guest_whose_disks_lead_nowhere_leaves_its_resources_unknown() -> None:
    found = blocking(findings(b.change_disk(OK, ALPHA, source="/dev/vg/web")))
    by_check = {finding.check: finding.severity for finding in found}
    assert by_check["disks-on-drbd"] is FAILED
    assert by_check["replication-connected"] is by_check["roles"] is by_check["disks-same-on-target"] is UNKNOWN


def test_each_resource_of_a_guest_is_looked_at() -> None:
    """All or nothing: the second resource of a guest counts as much as the first."""
    snapshot = b.change_domain(OK, ALPHA, disks=(b.disk(), b.disk("vdb", "/dev/drbd1")))
    for host in b.HOSTS:
        both = (b.resource(primary=host == ALPHA, at=host), b.resource("log", minor=1, primary=host == ALPHA, at=host))
        handlers = {found.name: b.HANDLER for found in both}
        snapshot = b.change_drbd(snapshot, host, resources=both, handlers=handlers)
    assert blocking(findings(snapshot)) == ()
    asleep = replace(b.resource("log", minor=1, primary=False, at=BETA), suspended=("user",))
    snapshot = b.change_drbd(snapshot, BETA, resources=(b.resource(primary=False, at=BETA), asleep))
    assert [(found.check, found.subject) for found in blocking(findings(snapshot))] == [
        ("io-not-suspended", "log on beta")
    ]


@pytest.mark.parametrize("host", b.HOSTS)
def test_a_resource_without_a_connection_is_not_connected(host: str) -> None:
    found = blocking(findings(b.change_resource(OK, host, connection=None)))
    by_check = {finding.check: finding.severity for finding in found}
    assert by_check == {"replication-connected": FAILED, "replication-established": FAILED, "roles": UNKNOWN}
    assert all(host in finding.subject for finding in found)


@pytest.mark.parametrize("host", b.HOSTS)
@pytest.mark.parametrize(
    ("option", "value", "check"),
    [
        ("allow_two_primaries", True, "window-closed"),
        ("protocol", "B", "protocol-c"),
        ("after_sb_2pri", "violently-as0p", "after-split-brain"),
        ("rr_conflict", "call-pri-lost", "resync-role-conflict"),
        ("fencing", "dont-care", "fencing-policy"),
    ],
)
def test_a_policy_counts_from_either_end(host: str, option: str, value: object, check: str) -> None:
    found = blocking(findings(b.change_options(OK, host, **{option: value})))
    assert [(finding.check, finding.severity, finding.subject) for finding in found] == [
        (check, FAILED, f"web on {host}")
    ]


@pytest.mark.parametrize(
    "command",
    [
        "dualsrm-host fence-peer",
        "/usr/sbin/dualsrm-host",
        "/usr/sbin/dualsrm-host fence-peer; true",
        "/usr/sbin/dualsrm-host fence-peer ",
        "/usr/sbin/not-dualsrm-host fence-peer",
        "/a b/dualsrm-host fence-peer",
        "",
    ],
)
def test_only_dualsrms_own_handler_will_do(command: str) -> None:
    """Whatever the shell makes of another line, its answer would not be dualsrm's."""
    (finding,) = blocking(findings(handled_by(command)))
    assert (finding.check, finding.severity, finding.subject) == ("fence-handler", FAILED, "web on alpha")


def test_each_host_counts_for_itself() -> None:
    snapshot = b.change_drbd(b.change_drbd(OK, ALPHA, handlers={}), BETA, handlers={"mail": b.HANDLER})
    found = blocking(findings(snapshot))
    assert [(finding.check, finding.subject) for finding in found] == [
        ("fence-handler", "web on alpha"),
        ("fence-handler", "web on beta"),
    ]

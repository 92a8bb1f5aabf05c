"""From fault to page on real nodes: `tests/run alerts`, about an hour, most of it the alerts' own patience.

Prometheus and Alertmanager with what is shipped for them, over TLS. What is normal pages nobody; each fault pages, and
what it paged for ends when it is healed. A table says how long each took. The tests are one story, in this order.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from tests.lab.handle import HOSTS, RESOURCES, LabHandle, wait_for
from tests.lab.monitoring import MANAGER, monitored
from tests.lab.scrapes import ADDRESSES
from tests.lab.watched import PATIENCE_S, Act, Fault, Watch
from tests.unit.dashboards.boards import QUERIES

ROLLED_BACK, NEEDS_ATTENTION = 3, 4
TOLD_S = 2400.0
"""Ends of operations are told for half an hour after they happened; and some."""
PEER = next(host for host in HOSTS if host != MANAGER)


@pytest.fixture(scope="module")
def watch(booted: LabHandle, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Watch]:
    with monitored(booted, tmp_path_factory.mktemp("monitoring")) as seen:
        found = Watch(seen)
        yield found
    capture = pytestconfig.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\n{found.told()}")


# --- what is normal -------------------------------------------------------------------------------------


def _made_whole(lab: LabHandle) -> None:
    wait_for("both hosts to answer, in sync", lambda: all(map(lab.whole, HOSTS)), 300)


def _to(lab: LabHandle, host: str) -> None:
    for guest in RESOURCES:
        if lab.host_of(guest) != host:
            lab.node(MANAGER, "dualsrm", "migrate", guest)


@pytest.mark.timeout(1800)
def test_a_move_a_resync_and_a_reboot_page_nobody(watch: Watch) -> None:
    lab, began = watch.lab, time.time()
    _to(lab, MANAGER)
    lab.node(PEER, "drbdadm", "invalidate", "mail")
    _made_whole(lab)
    lab.node(PEER, "systemctl", "poweroff", check=False)
    wait_for(f"{PEER} to be down", lambda: lab.power(PEER) == "off", 180)
    lab.lab("power", "on", PEER)
    _made_whole(lab)
    _start_again(lab)
    wait_for("both to be scraped", lambda: len(watch.seen.query('up{job="dualsrm"} == 1')) == len(HOSTS))
    wait_for("no alert to be pending", lambda: watch.seen.query("ALERTS") == [], PATIENCE_S)
    assert watch.seen.pages(began) == []


def _instance(host: str) -> str:
    return f"{ADDRESSES[host]}:10184"


def _moved_slowly(lab: LabHandle, guest: str) -> None:
    """From the manager's host, over a link so narrow that Prometheus comes by while memory is copied."""
    slow = "sed 's/^\\[migration\\]$/&\\nbandwidth_mib_s = 2/' /etc/dualsrm/dualsrm.toml >/run/slow.toml"
    move = f'umask 077; {slow}; exec dualsrm --config /run/slow.toml migrate "$1"'
    lab.lab("ssh", MANAGER, "--", "sh", "-c", move, "sh", guest)


@pytest.mark.timeout(900)
def test_a_move_is_seen_under_way(watch: Watch) -> None:
    """Afterwards: its progress, its window on both hosts, and that the guest came to the other one."""
    lab, guest = watch.lab, "web"
    _to(lab, MANAGER)
    _moved_slowly(lab, guest)
    seen = watch.seen.query
    assert seen(f'max_over_time(dualsrm_guest_migration_memory_processed_bytes{{guest="{guest}"}}[5m]) > 0')
    assert seen(f'min_over_time(dualsrm_guest_migration_memory_remaining_bytes{{guest="{guest}"}}[5m]) > 0')
    opened = seen(f'max_over_time(dualsrm_window_open{{resource="{guest}"}}[5m]) == 1')
    assert {series["instance"] for series in opened} == {_instance(host) for host in HOSTS}
    there = f'guest="{guest}", dualsrm_guest_state="running", instance="{_instance(PEER)}"'
    wait_for("it to be seen at the other host", lambda: bool(seen(f"dualsrm_guest_state{{{there}}} == 1")))
    assert not seen(f'dualsrm_guest_migration_memory_total_bytes{{guest="{guest}"}}'), "absent where none is sent"


WHILE_IT_LASTS = {
    *("Alerts", "Alerts that fire", "What blocks", "Why there is an alarm", "What the fence-peer handler answered"),
    *("Operations that run", "Windows that are open", "Guards"),
    *("Memory to copy", "Memory dirtied", "Passes over the memory"),
    *("Resync done", "Resync: rate", "Resync: time left"),
    *("Last operation on each guest", "What a failover spends its time on"),
}
"""Panels with queries for what a healthy lab has not, or has no more once the move is over."""


@pytest.mark.timeout(900)
def test_the_dashboards_are_drawn_from_it(watch: Watch) -> None:
    """This Prometheus answers each query of both dashboards, from the lab's own data but for what is not the case."""
    empty = {query.panel for query in QUERIES if not watch.seen.query(query.filled("lab"))}
    assert empty <= WHILE_IT_LASTS <= {query.panel for query in QUERIES}


def _start_again(lab: LabHandle) -> None:
    """The peer's exporter after a boot."""
    lab.node(PEER, "systemctl", "start", "dualsrm-exporter")


# --- a host is lost --------------------------------------------------------------------------------------


def _failover(lab: LabHandle, exit_code: int) -> None:
    done = lab.lab("ssh", MANAGER, "--", "dualsrm", "failover", "--all", "--to", MANAGER, check=False)
    assert done.returncode == exit_code, done.stdout + done.stderr


def _lost_behind_a_lying_switch(lab: LabHandle) -> None:
    """Cut off, alive, and its power switch says done and does nothing."""
    for network in ("management", "replication", "memory"):
        lab.lab("cut", network, PEER)
    lab.lab("bmc", "lie", PEER)
    wait_for(f"{MANAGER} to notice", lambda: not lab.connected(MANAGER))
    _failover(lab, NEEDS_ATTENTION)


def _really_off(lab: LabHandle) -> None:
    lab.lab("bmc", "mend", PEER)
    _failover(lab, 0)


def _taken_back(lab: LabHandle) -> None:
    lab.lab("heal")
    lab.lab("power", "on", PEER)
    wait_for(f"{PEER} to be back", lambda: not _no_answer(lab), 180)
    _start_again(lab)
    wait_for("the split brain to be found, or none", lambda: lab.whole(PEER) or "StandAlone" in lab.events(PEER), 180)
    if names := [name for name in sorted(lab.roles(PEER)) if "StandAlone" in lab.events(PEER, name)]:
        lab.node(MANAGER, "dualsrm", "split-brain", "resolve", "--victim", PEER, *names)
    _made_whole(lab)
    lab.node(MANAGER, "dualsrm", "reprotect", PEER)


def _no_answer(lab: LabHandle) -> bool:
    return lab.lab("ssh", PEER, "--", "true", check=False).returncode != 0


@pytest.mark.timeout(2400)
def test_a_host_that_cannot_be_fenced_and_is_then_failed_over(watch: Watch) -> None:
    _to(watch.lab, PEER)
    watch.fires(
        Fault("DualsrmFencingFailed", f"{PEER} is cut off, its power switch lies", _lost_behind_a_lying_switch),
        Fault("GuestFailoverFailed", "the failover that could not fence it", lambda _: None),
        Fault("GuestFailedOver", "the switch is mended; guests failed over", _really_off, _taken_back),
    )


# --- faults of one resource or guest ---------------------------------------------------------------------


def _secondary(lab: LabHandle, guest: str) -> str:
    return lab.other(lab.host_of(guest))


def _twin(lab: LabHandle) -> None:
    text = (
        f"<domain type='qemu'><name>twin</name><uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, 'twin')}</uuid>"
        "<memory unit='MiB'>16</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>"
        "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/></devices></domain>"
    )
    for host in HOSTS:
        lab.put(host, "/run/twin.xml", text, 0o644)
        lab.node(host, "virsh", "create", "/run/twin.xml")


def _untwin(lab: LabHandle) -> None:
    for host in HOSTS:
        lab.node(host, "virsh", "destroy", "twin", check=False)


def _rolled_back(lab: LabHandle) -> None:
    target = _secondary(lab, "db")
    with lab.drbdadm_refuses(target, ("primary",)):
        done = lab.lab("ssh", MANAGER, "--", "dualsrm", "migrate", "db", check=False)
    assert done.returncode == ROLLED_BACK, done.stdout + done.stderr


def _on_secondary(guest: str, *command: str) -> Act:
    return lambda lab: lab.node(_secondary(lab, guest), *command)


def _on_primary(guest: str, *command: str) -> Act:
    def act(lab: LabHandle) -> None:
        host = lab.host_of(guest)
        assert host is not None
        lab.node(host, *command)

    return act


def _stalled(lab: LabHandle) -> None:
    """A resync that had begun, slowly, until the disk that is written to answered no more."""
    for host in HOSTS:
        lab.node(host, "drbdadm", "disk-options", "--c-plan-ahead=0", "--resync-rate=250k", "mail")
    lab.node(PEER, "drbdadm", "invalidate", "mail")
    wait_for("the resync to begin", lambda: "SyncTarget" in lab.events(PEER, "mail"))
    lab.node(PEER, "dmsetup", "suspend", "guests-mail")


def _goes_on(lab: LabHandle) -> None:
    lab.node(PEER, "dmsetup", "resume", "guests-mail")
    for host in HOSTS:
        lab.node(host, "drbdadm", "adjust", "mail")


@pytest.mark.timeout(2400)
def test_faults_of_one_resource_or_guest(watch: Watch) -> None:
    """At the same time, each of another resource."""
    _to(watch.lab, MANAGER)
    watch.fires(
        Fault("GuestMigrationFailed", "the target refuses to be Primary; rolled back", _rolled_back),
        Fault(
            "DrbdStandAlone",
            "drbdadm disconnect web",
            _on_secondary("web", "drbdadm", "disconnect", "web"),
            _on_secondary("web", "drbdadm", "connect", "web"),
        ),
        Fault(
            "DrbdDiskFailed",
            "drbdadm detach db-log",
            _on_secondary("db", "drbdadm", "detach", "db-log"),
            _on_secondary("db", "drbdadm", "attach", "db-log"),
        ),
        Fault(
            "DrbdTwoPrimariesAllowedAtRest",
            "a window left open: drbdadm net-options --allow-two-primaries=yes db-data",
            _on_primary("db", "drbdadm", "net-options", "--allow-two-primaries=yes", "db-data"),
            _on_primary("db", "drbdadm", "net-options", "--allow-two-primaries=no", "db-data"),
        ),
        Fault(
            "GuestDown",
            "virsh destroy mail",
            _on_primary("mail", "virsh", "destroy", "mail"),
            lambda lab: lab.node(MANAGER, "dualsrm", "start", "mail", "--on", MANAGER),
        ),
        Fault("GuestOnBothHosts", "one guest started on both hosts", _twin, _untwin),
        Fault("DrbdResyncStalled", "the disk below a resync of mail stands still", _stalled, _goes_on),
    )
    _made_whole(watch.lab)


# --- faults of a pair ------------------------------------------------------------------------------------


def _split(lab: LabHandle) -> None:
    """Both sides of web write alone, and then meet."""
    lab.node(PEER, "drbdadm", "disconnect", "web")
    lab.node(PEER, "drbdadm", "primary", "--force", "web")
    lab.node(PEER, "dd", "if=/dev/zero", "of=/dev/drbd/by-res/web/0", "bs=4096", "count=1", "seek=100", "oflag=direct")
    lab.node(PEER, "drbdadm", "secondary", "web")
    lab.node(PEER, "drbdadm", "connect", "web")


def _unsplit(lab: LabHandle) -> None:
    for host in HOSTS:
        lab.node(host, "drbdadm", "disconnect", "web", check=False)
    lab.node(PEER, "drbdadm", "connect", "--discard-my-data", "web")
    lab.node(MANAGER, "drbdadm", "connect", "web")


def _killed(lab: LabHandle) -> None:
    """The manager dies in the middle of a move of db."""
    script = (
        "dualsrm migrate db >/dev/null 2>&1 & pid=$!; "
        'until tail -qn1 $(ls -t /var/lib/dualsrm/operations/*-migrate-* | head -n1) | grep -q \'"step": "promote"\'; '
        "do kill -0 $pid || exit 1; done; kill -KILL $pid"
    )
    lab.node(MANAGER, "bash", "-c", script)


def _no_dump(lab: LabHandle) -> None:
    """drbdsetup on the peer shows nothing to whoever is not root."""
    lab.node(PEER, "chmod", "o-x,g-x", "/usr/sbin/drbdsetup")


def _recovered(lab: LabHandle) -> None:
    wait_for(
        "recover to settle it",
        lambda: lab.lab("ssh", MANAGER, "--", "dualsrm", "recover", check=False).returncode == 0,
        300,
    )


@pytest.mark.timeout(2400)
def test_faults_of_a_pair(watch: Watch) -> None:
    _to(watch.lab, MANAGER)
    watch.fires(
        Fault("DualsrmOperationInterrupted", "the manager is killed in a move; recover", _killed, _recovered),
        Fault("DrbdSplitBrain", "both sides of web wrote alone", _split, _unsplit),
        Fault(
            "DrbdIoSuspended",
            "drbdadm suspend-io mail",
            _on_primary("mail", "drbdadm", "suspend-io", "mail"),
            _on_primary("mail", "drbdadm", "resume-io", "mail"),
        ),
        Fault(
            "DualsrmCollectorFailing",
            f"drbdsetup on {PEER} cannot be run by the exporter",
            _no_dump,
            lambda lab: lab.node(PEER, "chmod", "755", "/usr/sbin/drbdsetup"),
        ),
    )
    _made_whole(watch.lab)


@pytest.mark.timeout(2400)
def test_a_link_that_is_cut_and_an_exporter_that_is_gone(watch: Watch) -> None:
    watch.fires(
        Fault(
            "DrbdNotConnected",
            "the replication link is cut",
            lambda lab: lab.lab("cut", "replication", PEER),
            lambda lab: lab.lab("heal"),
        ),
        Fault(
            "DualsrmExporterDown",
            f"the exporter of {PEER} is stopped",
            lambda lab: lab.node(PEER, "systemctl", "stop", "dualsrm-exporter"),
            _start_again,
        ),
    )
    _made_whole(watch.lab)


# --- the end ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(TOLD_S + 60)
def test_what_is_healed_is_told_to_be_over(watch: Watch) -> None:
    """The ends of operations half an hour later."""
    watch.ends(TOLD_S)
    assert len(watch.table) >= 10, "as many faults as were made"

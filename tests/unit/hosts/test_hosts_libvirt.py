"""libvirt through the SSH connection: a private libvirtd with libvirt's own test driver behind a real sshd."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import libvirt
import pytest

from dualsrm.engine.ports import JobEnded, JobProgress
from dualsrm.errors import CommandFailed, DeadlineExceeded, HostUnreachable
from dualsrm.hosts.libvirt import clones, domains
from dualsrm.hosts.libvirt import connection as connection_module
from dualsrm.hosts.libvirt.connection import LibvirtConnection, error_code
from dualsrm.hosts.libvirt.migration import LibvirtMigration, MigrationSettings, stand_still
from dualsrm.hosts.libvirt.pump import Pump
from dualsrm.hosts.libvirt.view import LibvirtReader, job_active
from dualsrm.hosts.ssh import SshConnection
from dualsrm.model import DomainState, Host, Unknown
from tests.unit.hosts.sshd import Sshd
from tests.unit.hosts.test_hosts_clone_xml import FULL, clone

NOBODY = 65534


@pytest.fixture(scope="module")
def daemon() -> Iterator[Path]:
    """A libvirtd's socket. As nobody when root runs the tests: a privileged one would want the whole machine."""
    if shutil.which("libvirtd") is None or shutil.which("nc") is None:
        pytest.fail("libvirtd or nc is not installed; tests/run installs them")
    directory = Path("/tmp") / f"dualsrm-libvirtd-{os.getpid()}"  # short: a socket's path has 107 bytes
    directory.mkdir(mode=0o755)
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    (directory / "conf").write_text(f'unix_sock_dir = "{directory}"\nauth_unix_rw = "none"\n')
    names = ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    process = subprocess.Popen(
        ["libvirtd", "-f", str(directory / "conf"), "-p", str(directory / "pid")],
        env={"PATH": os.environ["PATH"] + ":/usr/sbin", **dict.fromkeys(names, str(directory))},
        stderr=subprocess.DEVNULL,
        **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}),  # type: ignore[call-overload]  # keywords by condition
    )
    path = directory / "libvirt-sock"
    end = time.monotonic() + 20
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    if not path.exists():
        pytest.fail("libvirtd does not start")
    yield path
    process.kill()
    process.wait()
    shutil.rmtree(directory)


@pytest.fixture
def virt(ssh: SshConnection, daemon: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LibvirtConnection]:
    monkeypatch.setattr(connection_module, "script_argv", lambda *_: ["nc", "-U", str(daemon)])
    connection = LibvirtConnection(ssh, "test:///default")
    yield connection
    connection.close()


def test_a_view_over_ssh(virt: LibvirtConnection) -> None:
    view = LibvirtReader(virt).view()
    domain = view.domain("test")
    assert domain is not None
    assert (domain.state, domain.reason, domain.uuid) == (
        DomainState.RUNNING,
        "unknown",
        "6695eb01-f6a4-8304-79aa-97f2502e193f",
    )
    assert (domain.persistent, domain.vcpus, domain.memory_bytes) == (True, 2, 8 * 1024**3)
    assert isinstance(domain.job_active, Unknown)  # the test driver has no jobs; nobody knows is what is said
    assert view.networks == ("default",)
    assert view.libvirt_version >= 9_000_000


def test_a_domain_nobody_knows_has_no_state(virt: LibvirtConnection) -> None:
    assert domains.domain_status(virt, "no such guest").state is None
    domains.destroy(virt, "no such guest")


def test_a_guest_is_started_though_its_state_is_not_told_in_time(
    virt: LibvirtConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three guests started at once on one emulated processor: the state of one was not told within 15 s.

    It was asked before the order, so the guest was waited for, never started, and rolled back after 150 s.
    """

    def silent(*_: object) -> None:
        raise DeadlineExceeded("the state of test on alpha did not answer within 15 s")

    virt.call(lambda conn: conn.lookupByName("test").destroy(), deadline_s=5, what="stopping")
    with monkeypatch.context() as patch:
        patch.setattr(domains, "_state", silent)
        domains.start(virt, "test")
    assert state_of(virt)[0] == libvirt.VIR_DOMAIN_RUNNING


def test_starting_a_guest_that_runs_is_nothing_and_one_nobody_knows_is_refused(virt: LibvirtConnection) -> None:
    domains.start(virt, "test")
    assert state_of(virt)[0] == libvirt.VIR_DOMAIN_RUNNING
    with pytest.raises(CommandFailed, match="Domain not found"):
        domains.start(virt, "no such guest")


def test_libvirts_refusal_keeps_its_words_and_code(virt: LibvirtConnection) -> None:
    with pytest.raises(CommandFailed, match=r"looking on alpha: Domain not found") as caught:
        virt.call(lambda conn: conn.lookupByName("no such guest"), deadline_s=5, what="looking")
    assert error_code(caught.value) == libvirt.VIR_ERR_NO_DOMAIN


def test_a_call_that_hangs_leaves_the_others_alone(virt: LibvirtConnection) -> None:
    release = Event()
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"hanging on alpha did not answer within 0.3 s"):
        virt.call(lambda _: release.wait(30), deadline_s=0.3, what="hanging")
    assert virt.call(lambda conn: conn.getHostname(), deadline_s=5, what="name")
    assert time.monotonic() - started < 10
    release.set()


def test_a_lost_connection_is_opened_for_the_next_call(virt: LibvirtConnection, ssh: SshConnection) -> None:
    assert virt.call(lambda conn: conn.numOfDomains(), deadline_s=5, what="counting") == 1
    ssh.close()
    time.sleep(0.2)
    assert virt.call(lambda conn: conn.numOfDomains(), deadline_s=5, what="counting") == 1


def test_close_ends_what_is_under_way(virt: LibvirtConnection) -> None:
    def ask_for_ever(conn: Any) -> None:
        while True:
            conn.getLibVersion()

    call = virt.begin(ask_for_ever, what="asking")
    time.sleep(0.2)
    virt.close()
    assert isinstance(call.exception(timeout=5), CommandFailed | HostUnreachable)


LEFT_OPEN = """
import sys, threading, time
from pathlib import Path
from dualsrm.hosts.libvirt import connection
from dualsrm.hosts.ssh import SshConnection, SshSettings
from dualsrm.model import Host
user, port, identity, known_hosts, socket = sys.argv[1:]
connection.script_argv = lambda *_: ["nc", "-U", socket]
ssh = SshConnection(Host("alpha", "127.0.0.1", "", "", user, int(port)), SshSettings(Path(identity), Path(known_hosts)))
virt = connection.LibvirtConnection(ssh, "test:///default")
domains = virt.call(lambda conn: conn.listAllDomains(), deadline_s=5, what="listing")
virt.begin(lambda conn: time.sleep(60), what="hanging")
print(len(domains))
"""


def test_a_process_that_leaves_it_open_ends_all_the_same(sshd: Sshd, daemon: Path) -> None:
    files = (str(sshd.settings.identity_file), str(sshd.settings.known_hosts), str(daemon))
    argv = [sys.executable, "-c", LEFT_OPEN, sshd.host.user, str(sshd.host.port), *files]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


class _Incoming:
    """A domain on the target of a migration, as libvirt 9.0 answers for it."""

    def __init__(self, code: int) -> None:
        self.code = code

    def jobInfo(self) -> None:  # noqa: N802 - libvirt's name
        error = libvirt.libvirtError("virDomainGetJobInfo() failed")
        error.err = (self.code, libvirt.VIR_FROM_QEMU, "", 0, "", "", "", 0, 0)
        raise error


def test_an_incoming_migration_is_a_job() -> None:
    assert job_active(_Incoming(libvirt.VIR_ERR_OPERATION_UNSUPPORTED))
    with pytest.raises(libvirt.libvirtError):
        job_active(_Incoming(libvirt.VIR_ERR_OPERATION_INVALID))


def state_of(virt: LibvirtConnection) -> tuple[int, int]:
    state, reason = virt.call(lambda conn: conn.lookupByName("test").state(), deadline_s=5, what="state")
    return state, reason


@pytest.fixture
def job(virt: LibvirtConnection) -> Iterator[LibvirtMigration]:
    """A migration that was refused at once: libvirt's test driver has none."""
    yield LibvirtMigration(virt, "test", Host("beta", "b", "b", "qemu+ssh://beta/system"), MigrationSettings())
    if state_of(virt)[0] == libvirt.VIR_DOMAIN_PAUSED:
        virt.call(lambda conn: conn.lookupByName("test").resume(), deadline_s=5, what="resuming")


def test_orders_that_libvirt_refuses_are_our_errors(job: LibvirtMigration) -> None:
    with pytest.raises(CommandFailed, match="allowing a longer pause, test on alpha"):
        job.set_downtime(0.5)
    with pytest.raises(CommandFailed, match="switching to post-copy, test on alpha"):
        job.start_post_copy()


def test_a_failed_migration_says_where_the_reason_is(job: LibvirtMigration) -> None:
    """Of a certificate QEMU did not take the caller heard `End of file while reading data`, the journal the rest."""
    while not isinstance(ended := job.poll(), JobEnded):
        time.sleep(0.05)
    assert ended.error
    assert "journalctl -u libvirtd" in ended.fix
    assert "/var/log/libvirt/qemu/test.log" in ended.fix


def test_a_guest_paused_after_its_migration_ended_runs_on(virt: LibvirtConnection, job: LibvirtMigration) -> None:
    """The migration failed a moment before the pause: libvirt would not resume this guest, and nobody else either."""
    while not isinstance(job.poll(), JobEnded):
        time.sleep(0.05)
    job.suspend()
    assert state_of(virt) == (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_UNPAUSED)


def test_a_guest_its_owner_paused_stays_paused(virt: LibvirtConnection, job: LibvirtMigration) -> None:
    virt.call(lambda conn: conn.lookupByName("test").suspend(), deadline_s=5, what="pausing")
    job.suspend()
    assert state_of(virt) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER)


class _Migrating:
    """A domain whose migration is under way: libvirt gives its pauses a reason of their own."""

    def __init__(self) -> None:
        self.now = [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED]

    def state(self) -> list[int]:
        return self.now

    def suspend(self) -> None:
        self.now = [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION]

    def resume(self) -> None:
        raise AssertionError("libvirt does that when the migration ends")


def test_a_guest_paused_while_it_migrates_is_left_to_libvirt() -> None:
    domain = _Migrating()
    stand_still(domain)
    assert domain.now == [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION]


def test_no_libvirt_on_the_host(ssh: SshConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "script_argv", lambda *_: ["sh", "-c", "echo no daemon >&2"])
    connection = LibvirtConnection(ssh)
    with pytest.raises(HostUnreachable, match=r"libvirt on alpha does not answer: .* no daemon"):
        connection.call(lambda conn: conn.getHostname(), deadline_s=5, what="name")


def test_the_pump_is_private_and_gone_once_used(ssh: SshConnection) -> None:
    pump = Pump(ssh.channel(["cat"]))
    directory = pump.path.parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(pump.path))
        data = os.urandom(300_000)
        stream.sendall(data)
        echoed = b""
        while len(echoed) < len(data):
            echoed += stream.recv(65536)
        assert echoed == data
        assert not directory.exists()
        pump.close()
        assert stream.recv(1) == b""


def test_the_pump_turns_strangers_away(ssh: SshConnection) -> None:
    pump = Pump(ssh.channel(["cat"]))
    stranger = subprocess.run(
        ["nc", "-N", "-U", str(pump.path)], input=b"hello", capture_output=True, timeout=10, check=False
    )
    assert stranger.stdout == b""
    assert not pump.path.parent.exists()


def test_a_connection_is_not_closed_below_a_call_that_is_inside_it(
    virt: LibvirtConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libvirt frees it, and the call goes on with what was freed: the test runner died of it, twice."""
    monkeypatch.setattr(connection_module, "CLOSE_S", 0.2)
    inside, leave = Event(), Event()
    held: list[Any] = []

    def hang(conn: Any) -> None:
        held.append(conn)
        inside.set()
        leave.wait(10)

    call = virt.begin(hang, what="hanging")
    assert inside.wait(10)
    virt.close()
    assert held[0]._o is not None, "still open"
    leave.set()
    call.result(timeout=10)


class _Looked:
    """A connection on which a migration goes on, and looks at it are counted."""

    def __init__(self) -> None:
        self.looks: list[Future[Any]] = []

    def begin(self, _function: object, *, what: str) -> Future[Any]:
        call: Future[Any] = Future()
        if what == "job statistics":
            self.looks.append(call)
        return call


def test_statistics_are_asked_for_now_and_then_and_nothing_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look interrupts libvirtd and QEMU, and during the copy it may hang for seconds."""
    now = [100.0]
    monkeypatch.setattr("dualsrm.hosts.libvirt.migration.time.monotonic", lambda: now[0])
    looked = _Looked()
    job = LibvirtMigration(looked, "web", Host("beta", "b", "b", "qemu+ssh://beta/system"), MigrationSettings())  # type: ignore[arg-type]  # all it needs
    for _ in range(20):
        assert job.poll() is None
        now[0] += 0.25
    assert len(looked.looks) == 1, "one that hangs is not joined by another"
    looked.looks[0].set_result(JobProgress(memory_total=1))
    assert job.poll() == JobProgress(memory_total=1)
    for _ in range(16):
        job.poll()
        for look in looked.looks:
            if not look.done():
                look.set_result(JobProgress())
        now[0] += 0.25
    assert len(looked.looks) == 1 + 2, "one every two seconds"


def test_a_clone_and_its_network_from_the_first_to_the_last(virt: LibvirtConnection) -> None:
    """libvirt's own parser reads what is made of a definition; the view has it apart from the guests."""
    domains.define(virt, FULL.replace("type='kvm' id='7'", "type='test'").replace("<name>web<", "<name>shop<"))
    copy = replace(clone(), guest="shop", name="shop-rehearsal-0a1b2c")
    (network,) = {nic.network for nic in copy.nics}
    for _ in range(2):  # again: a no-op
        clones.make_network(virt, network)
        clones.start(virt, copy)
    seen = clones.look(virt)
    assert seen.networks == (network,)
    assert [(one.name, one.uuid, one.guest, one.operation) for one in seen.clones] == [
        (copy.name, copy.uuid, "shop", copy.operation)
    ]
    assert seen.clones[0].state is DomainState.RUNNING
    view = LibvirtReader(virt).view()
    assert view.clones == (copy.name,)
    assert view.domain("shop") is not None
    assert view.domain(copy.name) is None
    assert clones.why_not(virt, "shop") == ""
    domains.destroy(virt, copy.name)
    for _ in range(2):
        clones.remove_network(virt, network)
    assert clones.look(virt) == clones.LibvirtSide((), ())


def test_what_cannot_be_cloned_is_not_started(virt: LibvirtConnection) -> None:
    domains.define(virt, FULL.replace("type='kvm' id='7'", "type='test'").replace("<name>web<", "<name>shop<"))
    lacking = replace(clone(), guest="shop", name="shop-rehearsal-0a1b2c", disks=())
    with pytest.raises(CommandFailed, match="shop cannot be cloned: its disk vda"):
        clones.start(virt, lacking)
    assert clones.look(virt).clones == ()

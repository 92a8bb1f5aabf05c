"""Locks, the process table, DRBD's refusals, migrations' arguments: the small parts behind the port."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shlex import quote

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.engine.ports import HostPort, JobProgress
from dualsrm.errors import CommandFailed, DeadlineExceeded, DeviceHeldOpen
from dualsrm.hosts.calls import begin, within
from dualsrm.hosts.drbd import Dialect
from dualsrm.hosts.drbd_commands import DrbdCommands, refusal
from dualsrm.hosts.host import RealHost
from dualsrm.hosts.libvirt.migration import FLAGS, MigrationSettings, Throttle, job_progress, migration_arguments
from dualsrm.hosts.locks import HostLocks, lock_text, parse_lock
from dualsrm.hosts.processes import openers, qemu_alive
from dualsrm.hosts.ssh import Completed, SshConnection
from dualsrm.hosts.text import clean, decode
from dualsrm.model import IN_WINDOW, Host, LockHolder, Unknown
from tests.unit.hosts.sshd import Sshd

ME = LockHolder("20261122T110000-web", "manager (pid 7)", "2026-11-22T11:00:00+00:00")
OTHER = LockHolder("20261122T110001-db", "elsewhere", "2026-11-22T11:00:01+00:00")


def test_real_hosts_are_host_ports(sshd: Sshd) -> None:
    port: HostPort = RealHost(sshd.host, sshd.settings)
    assert port.host is sshd.host


def test_a_host_that_does_not_answer_is_unknown_not_an_error(sshd: Sshd) -> None:
    host = RealHost(Host("alpha", "no-such-host.invalid", "", "", "root"), sshd.settings)
    view = host.observe()
    assert all(isinstance(part, Unknown) for part in (view.drbd, view.libvirt, view.system))
    assert isinstance(host.lock_holder("pair"), Unknown)
    host.close()


@pytest.fixture
def locks(ssh: SshConnection, tmp_path: Path) -> HostLocks:
    return HostLocks(ssh, str(tmp_path / "run it's"))


def test_a_lock_is_taken_once_and_released_by_its_holder_only(locks: HostLocks) -> None:
    assert locks.holder("lab") is None
    assert locks.take("lab", ME) is None
    assert locks.take("lab", OTHER) == ME
    assert locks.holder("lab") == ME
    locks.drop("lab", OTHER.operation)
    assert locks.holder("lab") == ME
    locks.drop("lab", ME.operation)
    assert locks.holder("lab") is None
    locks.drop("lab", ME.operation)


def test_our_own_lock_is_released_with_one_question_whoever_else_was_refused(
    locks: HostLocks, ssh: SshConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question is a process on the host, and the command waits for it."""
    assert locks.take("lab", ME) is None
    locks.drop("lab", OTHER.operation)
    asked: list[Sequence[str]] = []
    really = ssh.run

    def run(argv: Sequence[str], *, deadline_s: float) -> Completed:
        asked.append(argv)
        return really(argv, deadline_s=deadline_s)

    monkeypatch.setattr(ssh, "run", run)
    locks.drop("lab", ME.operation)
    assert len(asked) == 1
    assert locks.holder("lab") is None


def test_the_peer_is_not_asked_where_no_qemu_of_the_guest_is(sshd: Sshd) -> None:
    """Its libvirtd would be asked by name, and that name has no host: asked, it would be Unknown."""
    host = RealHost(sshd.host, sshd.settings)
    peer = Host("beta", "", "", "qemu+ssh://no-such-host.invalid/system", "root")
    assert host._reach_peer_for("no such guest", peer) is None
    assert isinstance(host.reach_peer(peer), Unknown)
    host.close()


def test_of_many_takers_one_succeeds(locks: HostLocks) -> None:
    holders = [LockHolder(f"operation {n}", "manager", "now") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda holder: locks.take("lab", holder), holders))
    assert answers.count(None) == 1


@pytest.mark.parametrize("pair", ["../../etc/cron.d/x", "a b", "it's; reboot", ".", "Zürich"])
def test_pair_names_stay_in_their_directory(locks: HostLocks, pair: str) -> None:
    assert locks.take(pair, ME) is None
    assert Path(locks.path(pair)).is_file()
    assert Path(locks.path(pair)).parent.name == "run it's"
    locks.drop(pair, ME.operation)


def test_a_lock_that_is_not_ours_is_held_all_the_same(locks: HostLocks) -> None:
    assert locks.take("lab", ME) is None
    Path(locks.path("lab")).write_text("")
    found = locks.take("lab", OTHER)
    assert isinstance(found, Unknown)
    assert found.fix.endswith(f"rm {quote(locks.path('lab'))}")
    assert locks.holder("lab") == found
    locks.drop("lab", ME.operation)
    assert Path(locks.path("lab")).exists()


def test_a_lock_directory_that_cannot_be_made_is_an_error(ssh: SshConnection, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="could not be asked"):
        HostLocks(ssh, str(tmp_path / "a" / "b")).take("lab", ME)


@given(st.text())
def test_any_lock_text_is_a_holder_or_unknown(text: str) -> None:
    assert isinstance(parse_lock(text), LockHolder | Unknown)


@given(st.text(), st.text(), st.text())
def test_what_a_lock_says_is_fit_to_print(operation: str, manager: str, since: str) -> None:
    text = lock_text(LockHolder(operation, manager, since))
    assert "\n" not in text
    assert text.isascii()
    holder = parse_lock(text)
    assert isinstance(holder, Unknown) or f"{holder.operation}{holder.manager}{holder.since}".isprintable()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"operation": 1}', "[" * 100_000, json.dumps({"operation": "x" * 9000})]
)
def test_hostile_locks(text: str) -> None:
    assert isinstance(parse_lock(text), Unknown)


def test_a_qemu_is_found_by_its_uuid(ssh: SshConnection) -> None:
    wanted, other = str(uuid.uuid4()), str(uuid.uuid4())
    assert not qemu_alive(ssh, wanted)
    code = "import sys, time; print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, "-name", other, "-uuid", wanted], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        assert qemu_alive(ssh, wanted.upper())
        assert not qemu_alive(ssh, other)
    finally:
        child.kill()
        child.communicate()
    assert not qemu_alive(ssh, wanted)


def test_no_answer_about_qemu_is_never_no(ssh: SshConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dualsrm.hosts.processes.script_argv", lambda *_: ["true"])
    with pytest.raises(CommandFailed, match="could not be read"):
        qemu_alive(ssh, str(uuid.uuid4()))


def test_openers_of_a_device_that_is_not_there(ssh: SshConnection) -> None:
    assert openers(ssh, 999) == ()


def test_held_open_has_its_own_error() -> None:
    done = Completed(
        11, "", "0: State change failed: (-12) Device is held open by someone\nCommand 'drbdsetup-84 …' terminated\n"
    )
    error = refusal("`drbdadm secondary web` on alpha", done)
    assert isinstance(error, DeviceHeldOpen)
    assert "(-12)" in error.seen


@pytest.mark.parametrize(
    "done",
    [
        Completed(17, "", "0: State change failed: (-2) Need access to UpToDate data\x1b[2J\n"),
        Completed(11, "", "0: State change failed: (-1) Multiple primaries not allowed by config\n"),
        Completed(127, "", "bash: drbdadm: command not found"),
        Completed(1, "", "x" * 100_000),
    ],
)
def test_other_refusals_keep_drbds_words(done: Completed) -> None:
    error = refusal("`drbdadm primary web` on alpha", done)
    assert type(error) is CommandFailed
    assert error.seen.isprintable()
    assert len(error.seen) < 700


@pytest.mark.parametrize("name", ["all", "--force", "", "web/0", "a b", "$(id)", "web\n"])
def test_names_that_are_no_resource_are_not_run(ssh: SshConnection, name: str) -> None:
    with pytest.raises(CommandFailed, match="no name of a DRBD resource"):
        DrbdCommands(ssh).promote([name])


class _Said:
    """A connection that notes what was to be run, and says that it worked."""

    def __init__(self) -> None:
        self.host = Host("alpha", "a", "a", "qemu+ssh://beta/system")
        self.argv: list[str] = []

    def run(self, argv: list[str], *, deadline_s: float) -> Completed:
        self.argv = argv
        return Completed(0, "", "")


@pytest.mark.parametrize(("dialect", "verb"), [(Dialect.V84, "disk-options"), (Dialect.V9, "net-options")])
def test_the_freeze_policy_is_an_option_of_the_disk_on_84_and_of_the_net_on_9(dialect: Dialect, verb: str) -> None:
    ssh = _Said()
    DrbdCommands(ssh).set_fencing(["web"], IN_WINDOW, dialect)  # type: ignore[arg-type]  # it runs nothing
    assert ssh.argv == ["drbdadm", verb, "--fencing=resource-and-stonith", "web"]


def test_one_command_serves_all_resources_of_a_guest() -> None:
    ssh = _Said()
    DrbdCommands(ssh).promote(["db-data", "db-log"])  # type: ignore[arg-type]  # it runs nothing
    assert ssh.argv == ["drbdadm", "primary", "db-data", "db-log"]


def test_migration_arguments() -> None:
    target = Host("beta", "10.79.0.12", "10.79.2.12", "qemu+ssh://beta/system")
    assert migration_arguments(target, MigrationSettings()) == ({"migrate_uri": "tcp://10.79.2.12"}, FLAGS)
    six = Host("beta", "b", "fd00::12", "qemu+ssh://beta/system")
    parameters, flags = migration_arguments(six, MigrationSettings(tls=True, bandwidth_mib_per_s=50))
    assert parameters == {"migrate_uri": "tcp://[fd00::12]", "bandwidth": 50}
    assert flags == FLAGS | libvirt.VIR_MIGRATE_TLS
    never = (
        libvirt.VIR_MIGRATE_UNSAFE
        | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
        | libvirt.VIR_MIGRATE_NON_SHARED_DISK
        | libvirt.VIR_MIGRATE_NON_SHARED_INC
    )
    assert not flags & never


def test_what_makes_a_copy_converge_is_told_at_the_start() -> None:
    target = Host("beta", "10.79.0.12", "10.79.2.12", "qemu+ssh://beta/system")
    parameters, flags = migration_arguments(target, MigrationSettings(throttle=Throttle(30, 15)))
    assert (parameters["auto_converge.initial"], parameters["auto_converge.increment"]) == (30, 15)
    assert flags == FLAGS | libvirt.VIR_MIGRATE_AUTO_CONVERGE
    parameters, flags = migration_arguments(target, MigrationSettings(post_copy=True))
    assert parameters == {"migrate_uri": "tcp://10.79.2.12"}
    assert flags == FLAGS | libvirt.VIR_MIGRATE_POSTCOPY


def test_the_limit_holds_in_post_copy_too() -> None:
    """QEMU has two limits, and none by default for post-copy."""
    target = Host("beta", "10.79.0.12", "10.79.2.12", "qemu+ssh://beta/system")
    parameters, _ = migration_arguments(target, MigrationSettings(bandwidth_mib_per_s=50, post_copy=True))
    assert (parameters["bandwidth"], parameters["bandwidth.postcopy"]) == (50, 50)


def test_statistics_of_another_job_say_nothing() -> None:
    """The job that brought the guest here, or a dump that our migration still waits for."""
    figures = {"memory_total": 100, "memory_processed": 60, "downtime": 289}
    own = job_progress({**figures, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT})
    assert own == job_progress(figures) == JobProgress(100, 60, None, None, None, 0.289)
    for operation in (libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN, libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP):
        assert job_progress({**figures, "operation": operation}) == JobProgress()


def test_job_statistics() -> None:
    said = {
        "memory_total": 100,
        "memory_processed": 60,
        "memory_remaining": 40,
        "memory_dirty_rate": 3,
        "downtime": 289,
    }
    assert job_progress({**said, "memory_page_size": 4096, "memory_iteration": 2}) == JobProgress(
        100, 60, 40, 12288, 2, 0.289
    )
    assert job_progress({"memory_total": "many", "errmsg": "x"}) == JobProgress()


def test_deadlines_hold_and_errors_pass() -> None:
    release = threading.Event()
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"thing did not answer within 0.1 s"):
        within(lambda: release.wait(30), 0.1, "thing")
    assert time.monotonic() - started < 1
    release.set()

    def own_timeout() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        within(own_timeout, 5, "thing")
    assert begin(lambda: 7, "seven").result(timeout=5) == 7


def test_threads_that_hang_do_not_keep_the_process() -> None:
    code = (
        "import time\nfrom dualsrm.hosts.calls import within\n"
        "try: within(lambda: time.sleep(60), 0.1, 'x')\nexcept Exception as e: print(type(e).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "DeadlineExceeded\n"


@given(st.text(), st.integers(2, 50))
def test_clean_text_fits_one_line(text: str, limit: int) -> None:
    line = clean(text, limit)
    assert line.isprintable()
    assert len(line) <= limit


@given(st.binary())
def test_any_bytes_become_text_that_can_be_written(data: bytes) -> None:
    decode(data).encode()

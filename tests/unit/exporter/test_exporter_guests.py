"""Guests: whatever libvirtd says, and while it says nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import libvirt
import pytest

from dualsrm_exporter.collected import Collected
from dualsrm_exporter.guests import collector as module
from dualsrm_exporter.guests import libvirtd
from dualsrm_exporter.guests.collector import GuestsCollector
from dualsrm_exporter.guests.libvirtd import Guest, Job, Libvirtd, LibvirtError, job_of
from dualsrm_exporter.guests.worker import LateError, Worker
from dualsrm_exporter.metrics import GUESTS
from dualsrm_exporter.metrics import guests as m
from dualsrm_exporter.render import render
from tests.unit.exporter.rig import collect, names_with_samples, samples, true_states

HOSTILE = 'a"b\\c\n{d="e"} \u00fc\u2028'
WEB = Guest("web", "11111111-2222-3333-4444-555555555555", 1, io_error=False, autostart=False, handle=None)
JOB = Job(total=1000, processed=700, remaining=300, dirty_rate=4096, iterations=2)


def _collected(*guests: Guest, job: Callable[[Guest], Job | None] = lambda _guest: None) -> Collected:
    return collect(GuestsCollector(lambda: guests, job))


def test_each_guest_once_with_what_libvirt_says() -> None:
    mail = replace(WEB, name="mail", uuid="m", state=3, io_error=True)
    found = _collected(WEB, mail, replace(WEB, name="db", uuid="d", state=5, autostart=True))
    assert not found.failures
    assert true_states(found, m.STATE) == {("web", "running"), ("mail", "paused"), ("db", "shutoff")}
    assert samples(found, m.IO_ERROR) == {("web",): 0, ("mail",): 1, ("db",): 0}
    assert samples(found, m.AUTOSTART) == {("web",): 0, ("mail",): 0, ("db",): 1}
    assert set(samples(found, m.INFO)) == {("web", WEB.uuid), ("mail", "m"), ("db", "d")}
    assert not names_with_samples(found, [m.MEMORY, m.PROCESSED, m.REMAINING, m.DIRTY_RATE, m.ITERATIONS])


@pytest.mark.parametrize("state", [8, -1, 99])
def test_a_state_of_a_later_libvirt(state: int) -> None:
    assert true_states(_collected(replace(WEB, state=state)), m.STATE) == {("web", "other")}


def test_names_are_hostile() -> None:
    body = render(tuple(_collected(replace(WEB, name=HOSTILE)))).body.decode()
    assert 'guest="a\\"b\\\\c\\n{d=\\"e\\"} \u00fc\u2028"' in body
    assert all(line.startswith(("#", "dualsrm_")) for line in body.split("\n") if line)


def test_progress_of_the_guest_that_is_sent() -> None:
    found = _collected(
        WEB,
        replace(WEB, name="mail", uuid="m"),
        job=lambda guest: replace(JOB, dirty_rate=None) if guest.name == "web" else None,
    )
    values = [samples(found, one) for one in (m.MEMORY, m.PROCESSED, m.REMAINING, m.DIRTY_RATE, m.ITERATIONS)]
    assert values == [{("web",): 1000}, {("web",): 700}, {("web",): 300}, {}, {("web",): 2}]


def test_nobody_asks_a_guest_that_is_off_about_its_job() -> None:
    asked: list[str] = []
    _collected(replace(WEB, state=5), replace(WEB, name="x", state=6), job=lambda guest: asked.append(guest.name))
    assert asked == []


def test_a_busy_guest_hides_only_its_own_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is not asked a second time while the first question hangs."""
    monkeypatch.setattr(module, "_ONE_JOB_S", 0.05)
    answers, asked = threading.Event(), list[str]()

    def job(guest: Guest) -> Job:
        asked.append(guest.name)
        if guest.name == "busy":
            answers.wait(60)
        return JOB

    guests = (replace(WEB, name="busy", uuid="b"), WEB)
    collector = GuestsCollector(lambda: guests, job)
    for _ in range(2):
        found = collect(collector)
        assert not found.failures
        assert samples(found, m.REMAINING) == {("web",): 300}
        assert true_states(found, m.STATE) == {("busy", "running"), ("web", "running")}
    assert asked.count("busy") == 1
    answers.set()
    for thread in threading.enumerate():
        if thread.name == "libvirtd, about a job":
            thread.join(10)
    assert samples(collect(collector), m.REMAINING) == {("busy",): 300, ("web",): 300}


def test_libvirtd_hangs_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIBVIRTD_S", 0.05)
    answers, calls = threading.Event(), list[int]()

    def guests() -> tuple[Guest, ...]:
        calls.append(1)
        answers.wait(60)
        return (WEB,)

    collector = GuestsCollector(guests, lambda _guest: None)
    for words in ("does not answer", "has not answered for 0 s"):
        found = collect(collector)
        assert words in found.failures["libvirt"]
        assert not names_with_samples(found, GUESTS)
    assert len(calls) == 1
    answers.set()
    for thread in threading.enumerate():
        if thread.name == "libvirtd":
            thread.join(10)
    monkeypatch.setattr(module, "LIBVIRTD_S", 10.0)
    assert true_states(collect(collector), m.STATE) == {("web", "running")}


def test_only_so_many_questions_hang() -> None:
    worker, answers = Worker[None]("it", 2), threading.Event()

    def hang() -> None:
        answers.wait(60)

    for key in ("a", "b"):
        with pytest.raises(LateError, match="does not answer"):
            worker.ask(hang, time.monotonic(), key)
    with pytest.raises(LateError, match="2 questions to it hang"):
        worker.ask(hang, time.monotonic(), "c")
    answers.set()


# --- libvirt-python -----------------------------------------------------------------------------------------------


def test_libvirts_own_test_driver_is_read() -> None:
    """It knows neither no-wait nor anything of jobs, as an old libvirt."""
    (guest,) = Libvirtd("test:///default").guests()
    assert (guest.name, guest.state, guest.io_error, guest.autostart) == ("test", 1, False, False)
    assert job_of(guest) is None


def test_libvirtd_is_down() -> None:
    found = collect(GuestsCollector(Libvirtd("qemu:///system?socket=/nonexistent/sock").guests))
    assert "/nonexistent/sock" in found.failures["libvirt"]
    assert not names_with_samples(found, GUESTS)


def test_without_libvirt_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    assert "apt-get install python3-libvirt" in collect(GuestsCollector()).failures["libvirt"]


@dataclass
class FakeDomain:
    """Says what QEMU's driver says."""

    stats: dict[str, object] = field(default_factory=dict)
    called: str = "web"
    persistent: bool = True

    def name(self) -> str:
        return self.called

    def isPersistent(self) -> int:  # noqa: N802 - libvirt's name
        return int(self.persistent)

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's name
        return WEB.uuid

    def jobStats(self) -> dict[str, object]:  # noqa: N802 - libvirt's name
        return self.stats


@dataclass
class FakeConnection:
    """A libvirtd whose answer can be chosen."""

    state: dict[str, object]
    broken: bool = False
    flags: list[int] = field(default_factory=list)
    closed: bool = False
    domain: FakeDomain = field(default_factory=FakeDomain)

    def listAllDomains(self, _flags: int) -> list[FakeDomain]:  # noqa: N802 - libvirt's name
        return [FakeDomain()]

    def getAllDomainStats(self, _stats: int, flags: int) -> list[tuple[FakeDomain, dict[str, object]]]:  # noqa: N802 - libvirt's name
        self.flags.append(flags)
        if self.broken:
            raise libvirt.libvirtError("end of file")
        return [(self.domain, self.state)]

    def close(self) -> None:
        self.closed = True


PAUSED_IO = {"state.state": libvirt.VIR_DOMAIN_PAUSED, "state.reason": libvirt.VIR_DOMAIN_PAUSED_IOERROR}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (PAUSED_IO, (3, True)),
        ({**PAUSED_IO, "state.reason": libvirt.VIR_DOMAIN_PAUSED_USER}, (3, False)),
        ({**PAUSED_IO, "state.state": libvirt.VIR_DOMAIN_RUNNING}, (1, False)),
    ],
)
def test_paused_by_an_io_error(
    state: dict[str, object], expected: tuple[int, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = FakeConnection(state)
    monkeypatch.setattr(libvirt, "openReadOnly", lambda _uri: connection)
    (guest,) = Libvirtd().guests()
    assert (guest.state, guest.io_error, guest.autostart) == (*expected, True)
    assert connection.flags == [libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT]


def test_no_state_is_no_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirt, "openReadOnly", lambda _uri: FakeConnection({}))
    assert Libvirtd().guests() == ()


@pytest.mark.parametrize(
    ("name", "persistent", "guests"),
    [("web-rehearsal-0a1b2c", False, 0), ("web-rehearsal-0a1b2c", True, 1), ("web-rehearsal", False, 1)],
)
def test_a_clone_of_a_rehearsal_is_no_guest(
    name: str, persistent: bool, guests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = FakeConnection(PAUSED_IO, domain=FakeDomain(called=name, persistent=persistent))
    monkeypatch.setattr(libvirt, "openReadOnly", lambda _uri: connection)
    assert len(Libvirtd().guests()) == guests


def test_a_lost_connection_is_closed_and_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [FakeConnection(PAUSED_IO, broken=True), FakeConnection(PAUSED_IO)]
    left = iter(made)
    monkeypatch.setattr(libvirt, "openReadOnly", lambda _uri: next(left))
    host = Libvirtd()
    with pytest.raises(LibvirtError, match="end of file"):
        host.guests()
    assert made[0].closed
    assert len(host.guests()) == len(host.guests()) == 1


SENDING = {
    "type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED,
    "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
    "memory_total": 1000,
    "memory_processed": 700,
    "memory_remaining": 300,
    "memory_dirty_rate": 2,
    "memory_page_size": 2048,
    "memory_iteration": 2,
}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (SENDING, JOB),
        ({**SENDING, "memory_page_size": None}, replace(JOB, dirty_rate=None)),
        ({**SENDING, "memory_remaining": -1}, replace(JOB, remaining=None)),
        ({**SENDING, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN}, None),
        ({**SENDING, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP}, None),
        ({**SENDING, "type": libvirt.VIR_DOMAIN_JOB_NONE}, None),
        ({"type": libvirt.VIR_DOMAIN_JOB_NONE}, None),
    ],
)
def test_a_job(said: dict[str, object], expected: Job | None) -> None:
    assert libvirtd.job_of(replace(WEB, handle=FakeDomain(said))) == expected

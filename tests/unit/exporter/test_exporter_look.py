"""Tools that are missing, hang, fail or print too much: their part is missing from the scrape, the rest is there."""

from __future__ import annotations

import time

import pytest

from dualsrm_exporter.drbd import look as module
from dualsrm_exporter.drbd import programs
from dualsrm_exporter.drbd.look import Eyes
from dualsrm_exporter.metrics import drbd as m
from tests.unit.drbd.captures import capture
from tests.unit.exporter.rig import IN_SYNC, FakeHost, collect, samples
from tests.unit.hostside.host import eventually


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DUMP_S", 0.5)
    monkeypatch.setattr(module, "_SHOW_S", 0.5)
    monkeypatch.setattr(module, "_FILES_S", 0.5)


def test_nothing_of_an_old_look_is_shown_when_the_dump_fails(host: FakeHost) -> None:
    collector = host.collector()
    before = samples(collect(collector), m.SNAPSHOT)[()]
    host.drbdsetup("echo 'no netlink' >&2; exit 20")
    found = collect(collector)
    assert found.failures == {"dump": "`drbdsetup events2 --now --statistics` ended with 20: no netlink"}
    assert samples(found, m.ROLE) == samples(found, m.DISK_STATE) == samples(found, m.RESOURCE_UP) == {}
    assert samples(found, m.SNAPSHOT) == {(): before}
    assert samples(found, m.TWO_PRIMARIES) == {("vm1",): 0}
    assert samples(found, m.SPLIT_BRAIN) == {("vm1",): 0}


def test_a_tool_that_is_missing(host84: FakeHost) -> None:
    (host84.tools.directory / "drbdsetup").unlink()
    (host84.tools.directory / "drbdadm").unlink()
    found = collect(host84.collector())
    assert set(found.failures) == {"dump", "show", "files"}
    assert "cannot be run" in found.failures["dump"]
    assert samples(found, m.MODULE_LOADED) == {(): 1}
    assert samples(found, m.RESOURCE_UP) == {}


def test_a_tool_that_hangs_takes_its_deadline_and_no_more(host84: FakeHost) -> None:
    host84.drbdsetup("sleep 60")
    began = time.monotonic()
    found = collect(host84.collector())
    assert time.monotonic() - began < 3
    assert "did not end within" in found.failures["dump"]
    assert samples(found, m.TWO_PRIMARIES) == {("vm1",): 0}


def test_a_tool_that_cannot_be_killed_is_not_started_again(host84: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the kernel it survives SIGKILL; a process more at each scrape would fill the host."""
    host84.drbdsetup("sleep 60")
    collector = host84.collector()
    with monkeypatch.context() as patched:
        patched.setattr(programs, "kill", lambda _process: None)
        collect(collector)
    calls = host84.tools.calls("drbdsetup events2")
    again = collect(collector)
    assert "still hangs" in again.failures["dump"]
    assert host84.tools.calls("drbdsetup events2") == calls
    last = collector._eyes._dump._last
    assert last is not None
    programs.kill(last)
    host84.shows(IN_SYNC[host84.dialect])
    assert eventually(lambda: collect(collector).failures == {})


def test_a_tool_that_never_stops_printing(host84: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_OUTPUT_LIMIT", 1024 * 1024)
    host84.drbdsetup("cat /dev/zero")
    assert "printed too much" in collect(host84.collector()).failures["dump"]


@pytest.mark.parametrize("cut", [3, 30, 200, 600])
def test_half_a_dump_is_no_dump(host: FakeHost, cut: int) -> None:
    """It would call what is there absent."""
    whole = capture(host.dialect, f"{IN_SYNC[host.dialect]}.events2-now")
    host.prints(whole[:-cut])
    found = collect(host.collector())
    assert "dump" in found.failures
    assert samples(found, m.ROLE) == {}


def test_a_show_that_makes_no_sense(host: FakeHost) -> None:
    dump = capture(host.dialect, f"{IN_SYNC[host.dialect]}.events2-now")
    host.prints(dump, "resource vm1 {\n  net { shared-secret hunter2;\n")
    found = collect(host.collector())
    assert set(found.failures) == {"show"}
    assert "hunter2" not in found.failures["show"]
    assert samples(found, m.TWO_PRIMARIES) == samples(found, m.TWO_PRIMARIES_AT_REST) == {}
    assert samples(found, m.RESOURCE_UP) == {("vm1",): 1}


def test_a_version_nobody_can_read(host84: FakeHost) -> None:
    host84.says("version: 8.3.11\n")
    found = collect(host84.collector())
    assert "8.3.11" in found.failures["dump"]
    assert samples(found, m.MODULE_LOADED) == {(): 1}
    assert samples(found, m.RESOURCE_UP) == {}
    assert host84.tools.calls() == []


def test_the_files_are_read_now_and_then_and_kept_when_they_cannot_be(host84: FakeHost) -> None:
    eyes = Eyes(host84.proc)
    assert eyes.look().configured == {"vm1": ("node2",)}
    eyes.look()
    assert len(host84.tools.calls("drbdadm")) == 1
    host84.files("vm1", script="exit 10")
    eyes._configured_at = float("-inf")
    later = eyes.look()
    assert later.configured == {"vm1": ("node2",)}
    assert set(later.failures) == {"files"}


def test_a_dump_of_the_files_that_makes_no_sense(host84: FakeHost) -> None:
    host84.files(script="printf '# resource x on a: not ignored, not stacked\\nresource x y {\\n'")
    found = collect(host84.collector())
    assert set(found.failures) == {"files"}
    assert samples(found, m.RESOURCE_CONFIGURED) == {}
    assert samples(found, m.RESOURCE_UP) == {("vm1",): 1}

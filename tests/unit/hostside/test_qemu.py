"""A guest's QEMU: real processes, really stopped and ended; libvirt's word from a small program."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualsrm.hostside import qemu
from dualsrm.hostside.port import GuestHere, HostsideError
from dualsrm.hostside.qemu import guest_here, kill_unless_running, pids
from tests.unit.hostside.host import Tools, eventually

QEMU = "import time; print(flush=True); time.sleep(120)"
MIGRATING, RUNNING = "paused (migrating)", "running (migrated)"


class Guest:
    """A process that looks like a QEMU, and what libvirt says of it, call by call; the last word stays."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._seen = tools.directory / "states"
        self.uuid = str(uuid.uuid4())
        argv = [sys.executable, "-c", QEMU, "-name", "guest=web", "-uuid", self.uuid, "-smp", "1"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        # It has said its line and may not sleep yet: on a busy machine the first look saw it running.
        assert eventually(lambda: self.state == "S")

    def libvirt_says(self, *words: str) -> None:
        """`virsh` notes the state of the process at each call; an empty word is a call that fails."""
        answers = "".join(
            f"{number}) {f'echo {word!r}' if word else 'echo no libvirtd >&2; exit 1'} ;;\n"
            for number, word in enumerate(words[:-1], start=1)
        )
        last = f"echo {words[-1]!r}" if words[-1] else "echo no libvirtd >&2; exit 1"
        self._tools.put(
            "virsh",
            f"""sed 's/^.*) //' /proc/{self.process.pid}/stat | cut -c1 >>{self._seen}
case $(wc -l <{self._seen}) in
{answers}*) {last} ;;
esac""",
        )

    @property
    def seen(self) -> list[str]:
        """State letters of the process at virsh's calls: S sleeping, T stopped."""
        return self._seen.read_text().split()

    @property
    def state(self) -> str:
        """The same, now."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2][0]


@pytest.fixture
def guest(tools: Tools) -> Iterator[Guest]:
    made = Guest(tools)
    yield made
    made.process.kill()
    made.process.communicate()


def test_a_qemu_is_a_process_with_that_uuid(guest: Guest) -> None:
    assert pids(guest.uuid) == pids(guest.uuid.upper()) == (guest.process.pid,)
    assert pids(str(uuid.uuid4())) == ()
    guest.process.kill()
    assert eventually(lambda: pids(guest.uuid) == ()), "ended and not yet waited for is gone"


def test_where_there_is_no_process_libvirt_is_not_asked(tools: Tools) -> None:
    tools.put("virsh", "echo running")
    assert guest_here("web", str(uuid.uuid4())) is GuestHere.ABSENT
    assert kill_unless_running("web", str(uuid.uuid4())) is GuestHere.ABSENT
    assert not tools.calls()


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("running (booted)", GuestHere.RUNS),
        (RUNNING, GuestHere.RUNS),
        ("paused (user)", GuestHere.RUNS),
        ("paused (I/O error)", GuestHere.RUNS),
        ("paused (a word nobody knows)", GuestHere.RUNS),
        ("crashed (panicked)", GuestHere.RUNS),
        (MIGRATING, GuestHere.STANDS),
        ("paused (starting up)", GuestHere.STANDS),
        ("paused (post-copy)", GuestHere.SENDS),
        ("paused (post-copy failed)", GuestHere.SENDS),
    ],
)
def test_what_libvirt_says_of_it(guest: Guest, tools: Tools, word: str, found: GuestHere) -> None:
    """Only a guest that is arriving, or was handed over, may be ended."""
    guest.libvirt_says(word)
    assert guest_here("web", guest.uuid) is found
    assert tools.calls() == [f"virsh -q -c qemu:///system domstate --reason {guest.uuid}"]


@pytest.mark.parametrize("word", ["", "shut off (destroyed)"])
def test_a_qemu_of_which_libvirt_says_nothing_is_neither(guest: Guest, word: str) -> None:
    guest.libvirt_says(word)
    with pytest.raises(HostsideError):
        guest_here("web", guest.uuid)
    with pytest.raises(HostsideError):
        kill_unless_running("web", guest.uuid)
    assert guest.state == "S"


def test_an_arriving_guest_is_stopped_looked_at_and_ended(guest: Guest) -> None:
    guest.libvirt_says(MIGRATING)
    assert kill_unless_running("web", guest.uuid) is GuestHere.ABSENT
    assert guest.process.wait(timeout=10) == -signal.SIGKILL
    assert guest.seen[-1] == "T", "stopped at the last look, so that it cannot have begun to run after it"


def test_a_guest_that_runs_is_never_stopped(guest: Guest) -> None:
    guest.libvirt_says(RUNNING)
    assert kill_unless_running("web", guest.uuid) is GuestHere.RUNS
    assert guest.seen == ["S"]
    assert guest.state == "S"


@pytest.mark.parametrize("words", [("paused (post-copy)",), (MIGRATING, "paused (post-copy)")])
def test_a_half_that_still_sends_memory_is_not_ended(guest: Guest, words: tuple[str, ...]) -> None:
    """The guest runs on the peer, and needs it."""
    guest.libvirt_says(*words)
    assert kill_unless_running("web", guest.uuid) is GuestHere.SENDS
    assert eventually(lambda: guest.state == "S")


def test_a_guest_that_began_to_run_between_two_looks_runs_on(guest: Guest) -> None:
    guest.libvirt_says(MIGRATING, RUNNING)
    assert kill_unless_running("web", guest.uuid) is GuestHere.RUNS
    assert guest.seen == ["S", "T"]
    assert eventually(lambda: guest.state == "S")


@pytest.mark.parametrize("word", ["", "shut off (destroyed)"])
def test_when_the_second_look_fails_it_goes_on_as_it_was(guest: Guest, word: str) -> None:
    guest.libvirt_says(MIGRATING, word)
    with pytest.raises(HostsideError):
        kill_unless_running("web", guest.uuid)
    assert guest.seen == ["S", "T"]
    assert eventually(lambda: guest.state == "S")


def test_a_qemu_that_does_not_end_is_an_error(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits in the kernel for a device ends only when that answers."""
    monkeypatch.setattr(qemu, "_GONE_S", 0.2)
    monkeypatch.setattr(qemu, "_signal", lambda *_: None)
    guest.libvirt_says(MIGRATING)
    with pytest.raises(HostsideError, match="did not end"):
        kill_unless_running("web", guest.uuid)

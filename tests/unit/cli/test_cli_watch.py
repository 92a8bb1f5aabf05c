"""`status --watch`: old is never shown as new; on a real pseudo-terminal it ends on Ctrl-C as it began."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from dualsrm.cli.watch import Look, drawn, following
from dualsrm.engine.environment import SystemClock
from dualsrm.engine.journal import FileJournal, under_way
from dualsrm.errors import ExitCode
from dualsrm.overview import PairOverview, overview
from tests.builders import ALPHA, BETA, change_view, snapshot
from tests.simulator.pair.views import silent_view
from tests.unit.cli.running import Program
from tests.unit.docs.pages import REPOSITORY

HEALTHY = overview(snapshot(), None)
_LOST = silent_view(BETA, "beta does not answer")
WITHOUT_BETA = overview(
    change_view(snapshot(), BETA, drbd=_LOST.drbd, libvirt=_LOST.libvirt, system=_LOST.system), None
)


def says(seen: Look | None, now: float) -> str:
    out = Console(width=200, force_terminal=False)
    with out.capture() as captured:
        out.print(drawn(seen, now, 5))
    return captured.get()


def looks(*pairs: PairOverview) -> Look:
    """One look every 10 s, from 0 on."""
    seen: Look | None = None
    for number, pair in enumerate(pairs):
        seen = following(seen, Look(10.0 * number, (pair,)))
    assert seen is not None
    return seen


def test_a_host_that_falls_silent_is_shown_with_the_age_of_its_last_answer_and_nothing_of_it() -> None:
    seen = looks(HEALTHY, HEALTHY, WITHOUT_BETA, WITHOUT_BETA)
    said = says(seen, 34.0)
    assert "beta: silent; last answer 24 s ago" in said
    assert "beta: unknown" in said, "its role of 24 s ago is not shown"
    assert "alpha: silent" not in said
    assert "asked 4 s ago" in said


def test_one_that_never_answered_has_no_last_answer() -> None:
    assert "beta: has not answered yet" in says(looks(WITHOUT_BETA), 1.0)


def test_one_that_answers_again_is_silent_no_more() -> None:
    seen = looks(HEALTHY, WITHOUT_BETA, HEALTHY)
    assert "silent" not in says(seen, 21.0)
    assert seen.answered == {ALPHA: 20.0, BETA: 20.0}


def test_while_nothing_is_known_that_is_what_is_said() -> None:
    assert says(None, 3.0).strip() == "asking the hosts; Ctrl-C ends"


def test_a_look_that_is_old_because_a_host_takes_long_is_called_old() -> None:
    assert "this is how it was then" not in says(looks(HEALTHY), 10.0)
    assert "asked 11 s ago, this is how it was then" in says(looks(HEALTHY), 11.0)


def test_a_move_in_flight_is_shown_with_its_step_until_it_ends(tmp_path: Path) -> None:
    journal = FileJournal.begin(tmp_path, "migrate", SystemClock())
    journal.write("intent", verb="migrate", pair="lab", guest="web")
    assert [(one.verb, one.guest, one.step) for one in under_way(tmp_path, "lab")] == [("migrate", "web", "")]
    journal.write("step", step="promote", do=[])
    moving = under_way(tmp_path, "lab")
    assert [one.step for one in moving] == ["promote"]
    assert under_way(tmp_path, "other") == ()
    said = says(replace(looks(HEALTHY), under_way=moving), 1.0)
    assert f"under way: migrate web: promote, since {moving[0].at}" in said
    journal.write("undo", step="promote", do=[])
    assert [one.step for one in under_way(tmp_path, "lab")] == ["undoing promote"]
    journal.close()
    assert under_way(tmp_path, "lab") == ()


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_it_is_refused_where_there_is_no_screen(program: Program, words: tuple[str, ...]) -> None:
    ran = program("status", "--watch", *words)
    assert ran.code == ExitCode.USAGE
    assert "dualsrm status --json" in ran.out + ran.err


# --- on a pseudo-terminal -------------------------------------------------------------------------

PROGRAM = """
import signal
import sys
from pathlib import Path
from dualsrm.cli.main import main
from tests.simulator.pair import SimPair
from tests.unit.cli.running import simulated, write_config

pair = SimPair("9", name="lab")
looked = []
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background has inherited to ignore it

def turn():
    looked.append(1)
    if len(looked) == 20:
        pair.isolate("beta")

pair.on_turn = turn
main(["--config", str(write_config(Path(sys.argv[1]), pair)), "status", "--watch", "--interval", "1"], simulated(pair))
"""
_PATIENCE_S = 60.0


@contextmanager
def _on_terminal(directory: Path) -> Iterator[tuple[int, int, subprocess.Popen[bytes]]]:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, 160))
    search = f"{REPOSITORY}:{REPOSITORY / 'vagrant'}:{REPOSITORY / 'exporters'}"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": search, "TERM": "xterm"},
        start_new_session=True,
    )
    try:
        yield ours, theirs, process
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def _read_until(descriptor: int, *wanted: bytes) -> bytes:
    end, seen = time.monotonic() + _PATIENCE_S, b""
    while not all(words in seen for words in wanted):
        left = end - time.monotonic()
        assert left > 0, seen[-2000:]
        if select.select([descriptor], [], [], left)[0]:
            seen += os.read(descriptor, 65536)
    return seen


def test_it_draws_a_healthy_pair_then_a_silent_host_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    with _on_terminal(tmp_path) as (ours, theirs, process):
        before = termios.tcgetattr(theirs)
        began = _read_until(ours, b"pair lab", b"beta: silent; last answer ")
        assert began.index(b"\x1b[?1049h") < began.index(b"pair lab"), "on a screen of its own"
        process.send_signal(signal.SIGINT)
        ended = _read_until(ours, b"\x1b[?1049l", b"\x1b[?25h")
        assert process.wait(_PATIENCE_S) == 0
        assert b"Traceback" not in began + ended
        assert termios.tcgetattr(theirs) == before

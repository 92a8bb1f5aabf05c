"""Only processes that are the ones meant are ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from uml import processes
from uml.processes import Process


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as process:
        yield process
        process.kill()


def identity(child: subprocess.Popen[bytes]) -> Process:
    process = processes.identify(child.pid)
    assert process is not None
    return process


def test_a_session_is_found_and_ended(child: subprocess.Popen[bytes]) -> None:
    process = identity(child)
    assert process in processes.session_of(process)
    processes.kill(processes.session_of(process))
    assert not processes.alive(process)
    assert child.wait(5) == -9


def test_a_pid_given_to_somebody_else_is_left_alone(child: subprocess.Popen[bytes]) -> None:
    former = replace(identity(child), start=1)
    assert not processes.alive(former)
    assert processes.session_of(former) == []
    processes.kill([former])
    assert child.poll() is None


def test_nobody_is_in_a_namespace_that_is_not_there() -> None:
    assert processes.in_namespace(Path("/run/netns/no-such-lab")) == []


def test_a_pid_nobody_has_is_nobody() -> None:
    assert processes.identify(2**22 + 1) is None
    assert processes.identify(os.getpid()) is not None


_TRACER = """
import ctypes, os, signal, sys, time
trace = ctypes.CDLL(None).ptrace
child = os.fork()
if child == 0:
    trace(0, 0, 0, 0)                        # PTRACE_TRACEME
    os.kill(os.getpid(), signal.SIGCHLD)     # stands here until the tracer lets it go, or dies
    open(sys.argv[1], "w").close()
    time.sleep(60)
os.waitpid(child, 0)
print("traced", flush=True)
time.sleep(60)
"""


def test_what_a_killed_kernel_traced_does_not_run_on(tmp_path: Path) -> None:
    """Seen on the lab: after a power cut a guest process of User-mode Linux wrote into a node's disk image."""
    marker = tmp_path / "ran-on"
    with subprocess.Popen(
        [sys.executable, "-c", _TRACER, str(marker)], stdout=subprocess.PIPE, start_new_session=True
    ) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"traced\n"
        leader = processes.identify(tracer.pid)
        assert leader is not None
        victims = processes.session_of(leader)
        assert len(victims) == 2
        # Others between the two give a child that is let go the time to run.
        bystanders = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(30)]
        others = [found for each in bystanders if (found := processes.identify(each.pid))]
        processes.end([leader, *others, *(victim for victim in victims if victim != leader)])
        for each in bystanders:
            each.wait()
    assert not marker.exists()

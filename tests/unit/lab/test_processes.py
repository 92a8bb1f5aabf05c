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

"""Programs on the host: a deadline that holds, a fixed environment, errors that say what was seen."""

from __future__ import annotations

import os
import time

import pytest

from dualsrm.hostside.port import HostsideError
from dualsrm.hostside.run import ENVIRONMENT, must, run, start
from tests.unit.hostside.host import Tools


def test_what_a_program_said(tools: Tools) -> None:
    tools.put("agent", "cat; echo oops >&2; exit 3")
    done = run(["agent", "it's", "a b"], deadline_s=10, stdin="grüße\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "grüße\n", "oops\n")
    assert tools.calls() == ["agent it's a b"]


def test_the_environment_is_ours(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("DRBD_RESOURCE", "web")
    tools.put("show", "env; pwd")
    said = run(["show"], deadline_s=10).stdout.splitlines()
    assert {"LC_ALL=C", f"PATH={tools.path}", "PWD=/", "/"} <= set(said)
    assert not any(line.startswith("DRBD_") for line in said)


def test_drbd_and_virsh_are_found_in_the_directories_of_root() -> None:
    """The kernel gives a handler a PATH of its own, cron and sshd others."""
    assert {"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"} <= set(ENVIRONMENT["PATH"].split(":"))


def test_the_deadline_holds_whatever_the_program_started(tools: Tools) -> None:
    tools.put("slow", "sleep 60 & sleep 60")
    began = time.monotonic()
    with pytest.raises(HostsideError, match=r"slow did not end within 0.3 s"):
        run(["slow"], deadline_s=0.3)
    assert time.monotonic() - began < 10


def test_a_program_that_is_not_there(tools: Tools) -> None:
    with pytest.raises(HostsideError, match="fence_nothing cannot be run: No such file"):
        run(["fence_nothing"], deadline_s=1)
    with pytest.raises(HostsideError, match="drbdsetup-nothing cannot be run"):
        start(["drbdsetup-nothing"])


def test_bytes_that_are_no_text_stay_visible(tools: Tools) -> None:
    tools.put("show", r"printf 'a\377b'")
    assert run(["show"], deadline_s=10).stdout == "a\\xffb"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no >&2; exit 10", "`act now` ended with 10: no"),
        ("echo no; exit 10", "with 10: no"),
        ("exit 1", "nothing"),
    ],
)
def test_what_must_work_says_why_it_did_not(tools: Tools, script: str, said: str) -> None:
    tools.put("act", script)
    with pytest.raises(HostsideError, match=said):
        must(["act", "now"], deadline_s=10)


def test_what_must_work_gives_its_output(tools: Tools) -> None:
    tools.put("act", "echo done")
    assert must(["act"], deadline_s=10) == "done\n"


def test_a_program_that_goes_on_is_read_while_it_runs(tools: Tools) -> None:
    tools.put("follow", "echo first; exec sleep 60")
    process = start(["follow"])
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 100) == b"first\n"
    assert process.poll() is None
    process.kill()
    process.communicate()

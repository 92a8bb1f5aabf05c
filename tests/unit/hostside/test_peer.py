"""The peer over ssh: silence is None, and whatever it says that is no answer has not given way."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hostside import peer as peer_module
from dualsrm.hostside.peer import ask, ssh_argv, version
from dualsrm.hostside.port import Answer, HostsideError, Reply
from dualsrm.hostside.settings import Peer
from tests.unit.hostside.host import Tools

BETA = Peer("beta", "10.0.0.2", "root", 2222, "/root/key", "/root/known")


def says(tools: Tools, text: str, status: int = 0) -> None:
    tools.put("ssh", f"cat <<'END'\n{text}\nEND\nexit {status}")


@pytest.mark.parametrize("answer", list(Answer))
@pytest.mark.parametrize("claims", [True, False])
def test_each_answer_arrives_as_it_was_given(tools: Tools, answer: Answer, claims: bool) -> None:
    says(tools, json.dumps({"answer": answer, "why": "as \u202eseen"}))
    assert ask(BETA, "web", claims=claims) == Reply(answer, "as seen")
    (call,) = tools.calls()
    assert call.endswith(f"-- 10.0.0.2 dualsrm-host yield {'--claims ' if claims else ''}-- web")


def test_a_peer_that_cannot_be_reached_is_silent(tools: Tools) -> None:
    says(tools, json.dumps({"answer": "gave way", "why": ""}), status=255)
    assert ask(BETA, "web", claims=False) is None


def test_a_peer_that_takes_too_long_has_not_given_way(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh ends by itself when nobody is there: a host that crawls may not be switched off for it."""
    monkeypatch.setattr(peer_module, "ASK_S", 0.3)
    tools.put("ssh", "sleep 60")
    found = ask(BETA, "web", claims=False)
    assert found is not None
    assert found.answer is Answer.SILENT
    assert "did not end within 0.3 s" in found.why


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("bash: dualsrm-host: command not found", 127),
        ("", 0),
        ("Traceback", 1),
        ('{"answer": "gave way"}', 0),
        ('{"answer": "perhaps", "why": ""}', 0),
        ('{"answer": ["gave way"], "why": ""}', 0),
        ('["gave way"]', 0),
        ('"gave way"', 0),
        ("welcome\n" + '{"answer": "gave way", "why": ""}', 0),
        ("[" * 100_000, 0),
    ],
)
def test_a_peer_that_is_reached_and_has_no_answer_has_not_given_way(tools: Tools, text: str, status: int) -> None:
    says(tools, text, status)
    found = ask(BETA, "web", claims=False)
    assert found is not None
    assert found.answer is Answer.NOT_YET
    assert f"beta ended with {status}" in found.why


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_the_peers_shell_sees_the_words_as_they_are(word: str) -> None:
    """ssh hands the command to the login shell there as one text."""
    argv = ssh_argv(BETA, ["printf", "%s", word])
    assert shlex.split(argv[-1]) == ["printf", "%s", word]
    assert argv[argv.index("--") + 1 :] == ["10.0.0.2", argv[-1]]


def test_the_real_ssh_takes_the_options(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()  # ssh passes over one that is not there
    argv = ssh_argv(replace(BETA, identity=str(key)), ["dualsrm-host", "version"])
    done = subprocess.run(["ssh", "-G", *argv[1:]], capture_output=True, text=True, timeout=20, check=True)
    settings = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    wanted = {
        "hostname": "10.0.0.2",
        "port": "2222",
        "user": "root",
        "batchmode": "yes",
        "stricthostkeychecking": "true",
        "identityfile": str(key),
        "identitiesonly": "yes",
        "userknownhostsfile": "/root/known",
        "serveraliveinterval": "2",
        "connecttimeout": "10",
    }
    assert {key: settings.get(key) for key in wanted} == wanted


def test_the_peers_version(tools: Tools) -> None:
    says(tools, "dualsrm-host 1.2.3")
    assert version(BETA) == "dualsrm-host 1.2.3"


@pytest.mark.parametrize(("status", "said"), [(255, "Host key verification failed."), (127, "dualsrm-host: not found")])
def test_a_peer_without_a_version_is_an_error_with_its_words(tools: Tools, status: int, said: str) -> None:
    tools.put("ssh", f"echo {shlex.quote(said)} >&2; exit {status}")
    with pytest.raises(HostsideError, match=f"beta, over ssh to 10.0.0.2: {said}"):
        version(BETA)

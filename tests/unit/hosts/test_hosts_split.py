"""What settling a split brain asks of a host: the command lines, and what their answers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pytest

from dualsrm.errors import CommandFailed
from dualsrm.hosts.split import SplitCommands
from dualsrm.hosts.ssh import Completed, SshConnection
from dualsrm.model import Backing, Generation, Host

GI = "6D40A595292B4B67:6475616C73726D10:0000000000000000:0000000000000000:1:1:1:0:0:1:0\n"
FORGOTTEN = "??: Failure: (162) Invalid configuration request\nadditional info from kernel:\nunknown connection\n"
"""8.4.11, of a resource that stands alone."""


class Answers:
    """A connection that says what the test wants, and keeps what was asked."""

    host = Host("beta", "", "", "")

    def __init__(self, answer: Callable[[Sequence[str]], Completed]) -> None:
        self.asked: list[list[str]] = []
        self._answer = answer

    def run(self, argv: Sequence[str], *, deadline_s: float) -> Completed:
        assert deadline_s > 0
        self.asked.append(list(argv))
        return self._answer(argv)


def commands(status: int = 0, stdout: str = "", stderr: str = "") -> tuple[SplitCommands, Answers]:
    answers = Answers(lambda _argv: Completed(status, stdout, stderr))
    return SplitCommands(cast("SshConnection", answers)), answers


def test_identifiers_of_each_volume() -> None:
    split, answers = commands(stdout=GI)
    first, second = split.generations("mail", (0, 1))
    assert first == Generation(0, 0x6D40A595292B4B67, 0x6475616C73726D10, (0, 0))
    assert second.volume == 1
    assert answers.asked == [["drbdadm", "get-gi", "mail/0"], ["drbdadm", "get-gi", "mail/1"]]


@pytest.mark.parametrize("said", ["", "\x1b[2Jmail", GI + GI])
def test_what_is_no_identifier_is_refused(said: str) -> None:
    split, _ = commands(stdout=said)
    with pytest.raises(CommandFailed, match="no generation identifiers"):
        split.generations("mail", (0,))


def test_a_side_that_stands_alone_is_disconnected_already() -> None:
    split, _ = commands(10, stderr=FORGOTTEN)
    split.disconnect("mail")
    split, _ = commands(10, stderr="State change failed: (-2) Need access to UpToDate data")
    with pytest.raises(CommandFailed):
        split.disconnect("mail")


@pytest.mark.parametrize(("discard", "words"), [(True, ["--discard-my-data"]), (False, [])])
def test_only_the_victim_discards(discard: bool, words: list[str]) -> None:
    split, answers = commands()
    split.connect("mail", discard=discard)
    assert answers.asked == [["drbdadm", "connect", *words, "mail"]]


@pytest.mark.parametrize("name", ["--force", "all", "mail/0", "", "a b"])
def test_no_name_of_a_resource_is_run(name: str) -> None:
    split, answers = commands()
    with pytest.raises(CommandFailed, match="no name"):
        split.connect(name, discard=True)
    with pytest.raises(CommandFailed, match="no name"):
        split.disconnect(name)
    assert not answers.asked


def test_the_logical_volume_below() -> None:
    answers = Answers(
        lambda argv: Completed(
            0, "/dev/guests/mail\n" if argv[0] == "drbdadm" else "  guests|mail|67108864|62914560\n", ""
        )
    )
    split = SplitCommands(cast("SshConnection", answers))
    assert split.backing("mail", (0,)) == (Backing(0, "guests", "mail", 67108864, 62914560),)
    answers = Answers(lambda argv: Completed(0 if argv[0] == "drbdadm" else 5, "/dev/sdb\n", "not found"))
    with pytest.raises(CommandFailed, match="no logical volume"):
        SplitCommands(cast("SshConnection", answers)).backing("mail", (0,))


def test_a_snapshot_that_ran_full_is_none() -> None:
    assert commands(stdout="  mail|swi-a-s---\n")[0].snapshot_origin("guests", "kept") == "mail"
    assert commands(stdout="  mail|Swi-I-s---\n")[0].snapshot_origin("guests", "kept") is None
    assert commands(5)[0].snapshot_origin("guests", "kept") is None
    with pytest.raises(CommandFailed):
        commands(3)[0].snapshot_origin("guests", "kept")


def test_one_that_is_there_is_not_taken_again() -> None:
    split, answers = commands(stdout="  mail|swi-a-s---\n")
    split.take_snapshot("guests", "mail", "kept", 4 << 20)
    assert [argv[0] for argv in answers.asked] == ["lvs"]
    split, answers = commands(5)
    with pytest.raises(CommandFailed, match="lvcreate"):
        split.take_snapshot("guests", "mail", "kept", 4 << 20)
    assert answers.asked[-1][-1] == "guests/mail"

"""Names are data: a fix that a person pastes does what it says, whatever a guest is called."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.checks import Move, check_move, resolve_move
from dualsrm.checks.case import on
from dualsrm.errors import Refused
from dualsrm.model import Disk, DomainState, Nic
from tests import builders as b
from tests.builders import ALPHA, BETA, FACTS

HOSTILE = ["two words", "o'brien", 'say "hi"', "a;reboot", "$(reboot)", "`id`", "straße", "a\nb", "{why}", "-x", "*"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_survives_both_shells(name: str) -> None:
    snapshot = b.snapshot(name)
    snapshot = b.change_domain(snapshot, ALPHA, autostart=True, job_active=True, nics=(Nic("network", name),))
    snapshot = b.add_disk(snapshot, ALPHA, Disk("sda", "cdrom", "file", f"/iso/{name}", "default"))
    found = {finding.check: finding for finding in check_move(snapshot, Move(name, ALPHA, BETA), FACTS, None)
             if finding.severity.blocks}  # fmt: skip
    assert found["autostart-off"].fix == on(ALPHA, "virsh", "autostart", "--disable", name)
    assert found["networks"].fix == on(BETA, "virsh", "net-start", name)
    assert on(ALPHA, "virsh", "domjobabort", name) in found["guest-no-job"].fix
    assert name in found["read-only-disks"].seen


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_what_arrives_at_the_far_shell_is_what_was_meant(words: list[str]) -> None:
    ssh, host, remote = shlex.split(on("beta", *words))
    assert (ssh, host) == ("ssh", "beta")
    assert shlex.split(remote) == words


@pytest.mark.parametrize("name", HOSTILE)
def test_a_refusal_quotes_too(name: str) -> None:
    snapshot = b.change_domain(b.snapshot(name), ALPHA, state=DomainState.SHUTOFF)
    with pytest.raises(Refused) as refusal:
        resolve_move(snapshot, name, None)
    assert shlex.split(refusal.value.fix) == ["dualsrm", "start", "--", name]
    with pytest.raises(Refused) as refusal:
        resolve_move(b.snapshot(name), name, ALPHA)
    assert shlex.split(refusal.value.fix) == ["dualsrm", "migrate", "--to", BETA, "--", name]


def test_a_hostile_uuid_clash_is_quoted() -> None:
    other = replace(b.domain("a; rm -rf /", disks=()), state=DomainState.SHUTOFF)
    snapshot = b.add_domain(b.snapshot(), BETA, other)
    found = [f for f in check_move(snapshot, b.MOVE, FACTS, None) if f.check == "guest-same-uuid"]
    assert on(BETA, "virsh", "undefine", "--keep-nvram", "a; rm -rf /") in found[0].fix

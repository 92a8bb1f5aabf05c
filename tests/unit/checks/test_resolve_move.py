"""What a person typed becomes a move, or a refusal that says what is there; never a guess."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dualsrm.checks import Move, resolve_move
from dualsrm.errors import DualsrmError, HostUnreachable, Refused, UsageError
from dualsrm.model import DomainState, LockHolder, Snapshot, Unknown
from tests import builders as b
from tests.builders import ALPHA, BETA

OK = b.snapshot()
OFF = DomainState.SHUTOFF


@pytest.mark.parametrize("to", [None, BETA])
def test_the_target_is_the_other_host(to: str | None) -> None:
    assert resolve_move(OK, "web", to) == Move("web", ALPHA, BETA)


def test_a_definition_on_the_target_is_no_second_guest() -> None:
    assert resolve_move(b.add_domain(OK, BETA, replace(b.domain(), state=OFF)), "web", None).source == ALPHA


def refusal(snapshot: Snapshot, guest: str, to: str | None, kind: type[DualsrmError]) -> DualsrmError:
    with pytest.raises(kind) as caught:
        resolve_move(snapshot, guest, to)
    assert caught.value.seen
    assert caught.value.why
    assert caught.value.fix
    return caught.value


def test_an_unknown_guest_is_answered_with_those_that_exist() -> None:
    error = refusal(OK, "wbe", None, UsageError)
    assert "did you mean web?" in error.seen
    assert "alpha" in error.seen
    assert "beta" in error.seen
    assert "web" in error.why
    assert "did you mean" not in refusal(OK, "zzzzz", None, UsageError).seen
    assert "none" in refusal(b.change_libvirt(OK, ALPHA, domains=()), "web", None, UsageError).why


def test_a_target_outside_the_pair_is_refused() -> None:
    assert "gamma is no host of pair lab" in refusal(OK, "web", "gamma", UsageError).seen


def test_a_guest_already_there_is_refused() -> None:
    assert "runs on alpha already" in refusal(OK, "web", ALPHA, Refused).seen


def test_a_guest_on_both_hosts_is_refused() -> None:
    error = refusal(b.add_domain(OK, BETA, b.domain()), "web", None, Refused)
    assert "alpha and beta" in error.seen
    assert error.fix == "dualsrm recover"


def test_a_guest_that_is_shut_off_is_refused() -> None:
    error = refusal(b.change_domain(OK, ALPHA, state=OFF), "web", None, Refused)
    assert "shut off" in error.seen
    assert error.fix == "dualsrm start -- web"


@pytest.mark.parametrize("host", [ALPHA, BETA])
@pytest.mark.parametrize("guest", ["web", "nobody-knows"])
def test_where_a_guest_is_is_never_guessed(host: str, guest: str) -> None:
    snapshot = b.change_view(OK, host, libvirt=Unknown("No route to host"))
    error = refusal(snapshot, guest, None, HostUnreachable)
    assert host in error.seen
    assert "No route to host" in error.seen


def test_a_host_nobody_asked_is_unknown_too() -> None:
    assert (
        "beta was not asked" in refusal(replace(OK, views={ALPHA: OK.view(ALPHA)}), "web", None, HostUnreachable).seen
    )


def test_a_guest_on_both_hosts_while_somebody_moves_it_is_no_matter_for_recover_at_once() -> None:
    """Seen on the lab: a second manager was told `dualsrm recover` in the middle of the first one's move."""
    moving = b.add_domain(b.snapshot(), b.BETA, replace(b.domain(), state=DomainState.PAUSED, reason="migration"))
    holder = LockHolder("some-migrate", "manager", "2026-11-22T12:24:20+00:00")
    with pytest.raises(Refused) as refused:
        resolve_move(replace(moving, locks={b.ALPHA: holder, b.BETA: holder}), "web", None)
    assert "some-migrate" in refused.value.seen
    assert refused.value.fix.startswith("wait")

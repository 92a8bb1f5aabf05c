"""No check advises to connect what is in split brain."""

from __future__ import annotations

from dataclasses import replace

from dualsrm.checks import blocking, check_move
from dualsrm.checks.split_brain import check_resolve
from dualsrm.model import Generation, Snapshot
from tests import builders as b
from tests.builders import ALPHA, BETA, FACTS, MOVE

CONNECT = "drbdsetup-84 connect web ipv4:10.79.1.11:7789 ipv4:10.79.1.12:7789 --protocol=C"
SHOW = "dualsrm split-brain show -- web"


def gone_apart() -> Snapshot:
    """As the files-match-kernel check sees it on the lab: `adjust` would connect."""
    seen = b.change_drbd(b.snapshot(), ALPHA, drift=(CONNECT,))
    sides = {
        ALPHA: {"web": (Generation(0, 32, 16, (0, 0)),)},
        BETA: {"web": (Generation(0, 48, 16, (0, 0)),)},
    }
    return replace(seen, generations=sides)


def test_an_adjust_that_would_connect_it_is_not_advised() -> None:
    fixes = {one.check: one.fix for one in blocking(check_move(gone_apart(), MOVE, FACTS, None))}
    assert fixes["config-in-force"] == SHOW
    assert not [fix for fix in fixes.values() if "drbdadm adjust" in fix]


def test_the_side_of_the_guest_is_no_victim() -> None:
    found = check_resolve(gone_apart(), ALPHA, ("web",))
    assert {"web is running on alpha", "web is Primary on alpha"} <= {one.seen for one in blocking(found)}


def test_the_other_side_may_be() -> None:
    assert not blocking(check_resolve(gone_apart(), BETA, ("web",)))

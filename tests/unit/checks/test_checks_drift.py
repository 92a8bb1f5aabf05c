"""Of several moves at once, each opens a window that an adjust would take back: whose it is, and what stays a fault."""

from __future__ import annotations

import pytest

from dualsrm.checks.drift import besides
from tests import builders as b

WEB = b.resource("web", minor=0, primary=True)
MAIL = b.resource("mail", minor=1, primary=True)
OURS, THEIRS = "10.79.1.11", "10.79.1.12"


@pytest.mark.parametrize(
    "line",
    [
        f"drbdsetup-84 net-options ipv4:{OURS}:7790 ipv4:{THEIRS}:7790 --set-defaults --protocol=C",
        "drbdsetup-84 disk-options 1 --set-defaults --fencing=resource-only",
        "drbdsetup net-options mail 1 --allow-two-primaries=no",
        "drbdsetup disk-options 1 --set-defaults",
    ],
)
def test_what_takes_back_a_window_beside_is_left_out(line: str) -> None:
    assert besides((line, "x"), (MAIL,)) == ("x",)
    assert besides((line,), ()) == (line,)
    assert besides((line,), (WEB,)) == (line,)


@pytest.mark.parametrize(
    "line",
    [
        f"drbdsetup-84 net-options ipv4:{OURS}:7791 ipv4:{THEIRS}:7791 --set-defaults",
        f"drbdsetup-84 net-options ipv4:{THEIRS}:7790 ipv4:{OURS}:7790 --set-defaults",
        "drbdsetup net-options other 1 --allow-two-primaries=no",
        "drbdsetup net-options 1 mail",
        "drbdsetup resize 1",
        "drbdsetup disconnect mail 1",
        "drbdsetup connect mail 1",
        "drbdsetup",
        "",
    ],
)
def test_all_else_stays(line: str) -> None:
    assert besides((line,), (MAIL,)) == (line,)

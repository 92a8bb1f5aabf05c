"""What the host's own programs read of DRBD without asking the kernel's netlink."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.hostside import local_drbd

_PROC = """version: 8.4.11 (api:1/proto:86-101)
srcversion: 059B1B470318F053F5077D5
 0: cs:WFConnection ro:{role}/Unknown ds:UpToDate/DUnknown C {flags}-----
    ns:558 nr:160 dw:718 dr:65521 al:1 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0
 1: cs:Connected ro:Secondary/Primary ds:UpToDate/UpToDate C r-----
"""


@pytest.mark.parametrize(
    ("role", "flags", "promotion"),
    [
        ("Primary", "s", False),
        ("Primary", "r", False),
        ("Secondary", "r", True),
        # Frozen as a Primary and demoted for its peer before this program was up: its answer is still waited for.
        ("Secondary", "s", False),
    ],
)
def test_a_promotion_is_told_from_a_lost_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, flags: str, promotion: bool
) -> None:
    """Seen on the lab: `drbdsetup` hangs for good while a promotion waits, so this must not run it."""
    proc = tmp_path / "drbd"
    proc.write_text(_PROC.format(role=role, flags=flags))
    monkeypatch.setattr(local_drbd, "PROC", proc)
    monkeypatch.setattr(local_drbd, "resources", lambda: pytest.fail("netlink was asked"))
    for minors in ("0", "0 7"):  # drbdadm names every volume's
        assert local_drbd.is_promotion("web", minors) is promotion


def test_where_nothing_can_be_read_a_freeze_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_drbd, "PROC", tmp_path / "absent")
    assert not local_drbd.is_promotion("web", "0")

"""docs/checks.md and the registry name the same checks in the same order."""

from __future__ import annotations

import re
from pathlib import Path

from dualsrm.checks import REGISTRY

DOCS = Path(__file__).parents[3] / "docs" / "checks.md"


def test_every_check_is_described_once_and_in_order() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", DOCS.read_text(), re.MULTILINE) == [check.id for check in REGISTRY]


def test_identifiers_are_stable_words() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", check.id) for check in REGISTRY)
    assert len({check.id for check in REGISTRY}) == len(REGISTRY)
    assert all(check.wants for check in REGISTRY)

"""docs/architecture.md shows the outcome table and the layers as they are."""

from __future__ import annotations

import re
import tomllib

from dualsrm.outcome import OUTCOMES, Leftover, Presence
from tests.unit.docs.pages import DOCS, REPOSITORY, rows, sections

PAGE = DOCS / "architecture.md"


def test_the_outcome_table_is_the_real_one() -> None:
    text = sections(PAGE)["The outcome table"]
    head = re.search(r"^\| source \\ target \| (.+) \|$", text, re.MULTILINE)
    assert head is not None
    targets = head[1].split(" | ")
    shown = {
        (Presence(source), Presence(target)): word
        for source, *words in rows(text)
        for target, word in zip(targets, words, strict=True)
    }
    assert shown == {cell: verdict.outcome.value for cell, verdict in OUTCOMES.items()}
    assert sum(verdict.leftover is not Leftover.NONE for verdict in OUTCOMES.values()) == 3
    assert "In three cells" in text


def test_the_layers_are_those_the_linter_holds() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    contract = next(one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    layers = [line.replace("dualsrm.", "").replace(" | ", ", ") for line in contract["layers"]]
    assert [layer for layer, _ in rows(sections(PAGE)["Layers"])] == layers

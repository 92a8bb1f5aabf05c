"""The dashboards as files in Grafana's classic form, which every version imports."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.dashboards import estate, pair

PLACE: Final = Path(__file__).parents[1]


def files() -> dict[Path, str]:
    """Where each stands, and its text."""
    encoder = JSONEncoder(
        indent=1, sort_keys=True
    )  # the text must not depend on the order in which builders set things
    made = {"dualsrm-estate.json": estate.dashboard(), "dualsrm-pair.json": pair.dashboard()}
    return {PLACE / name: encoder.encode(dashboard) + "\n" for name, dashboard in made.items()}


def write() -> None:
    """All of them."""
    for path, text in files().items():
        path.write_text(text)

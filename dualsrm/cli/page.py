"""The report as one page: no script, nothing loaded from elsewhere, and every text in it is hostile until escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dualsrm.cli.telling import facts, headline
from dualsrm.cli.text import duration, plain, size
from dualsrm.history.rows import Row
from dualsrm.history.story import StepTold, Story

WIDTH: Final = 940.0
LEFT: Final = 110.0
"""Where time begins: names of lanes stand before it."""
LANE: Final = 34.0
GRAPH: Final = 110.0
_NARROWEST: Final = 3.0
_NUMBER_FITS: Final = 16.0
_CHARS: Final = 14
_TICKS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A step on a lane."""

    x: float
    y: float
    width: float
    kind: str
    number: str
    """Of the step in the table; empty where it does not fit."""
    title: str


@dataclass(frozen=True, slots=True)
class Graph:
    """One line over time."""

    title: str
    points: str
    top: str
    """What the upper edge stands for."""


def page(one: Row, story: Story, parts: Sequence[Row]) -> str:
    """The whole page. Raises nothing for what a journal may hold."""
    environment = Environment(
        loader=PackageLoader("dualsrm.cli"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else plain(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup(environment.get_template("report.css").render())  # noqa: S704 - our own file, without a value in it
    lanes = _lanes(one, story)
    return environment.get_template("report.html").render(
        one=one,
        headline=headline(one),
        facts=facts(one, story),
        story=story,
        parts=[(part.operation, headline(part)) for part in parts],
        style=style,
        style_hash=_hash(style),
        lanes=[(name, index * LANE) for index, name in enumerate(("manager", *lanes))],
        bars=[bar for number, step in enumerate(story.steps, 1) for bar in _bars(number, step, lanes, story)],
        window=_window(story),
        graphs=_graphs(story),
        ticks=[(LEFT + share * (WIDTH - LEFT), f"{share * story.length_s:.1f} s") for share in _TICKS],
        size={"width": WIDTH, "left": LEFT, "lane": LANE, "lanes": LANE * (len(lanes) + 1), "graph": GRAPH},
        short=lambda name: name if len(name) <= _CHARS else name[: _CHARS - 1] + "…",
        took=lambda step: "" if step.ended_s is None else duration(step.ended_s - step.begun_s),
    )


def _hash(style: str) -> str:
    """What the policy allows as style: this one, and nothing that came in with a name."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _lanes(one: Row, story: Story) -> tuple[str, ...]:
    """The hosts: source and target first, then any other that a step was done on. There are two in a pair."""
    seen = [host for step in story.steps for host in step.on]
    return tuple(dict.fromkeys(host for host in (one.source, one.target, *sorted(seen)) if host))[:4]


def _x(seconds: float, story: Story) -> float:
    share = min(1.0, seconds / story.length_s) if story.length_s else 0.0
    return round(LEFT + share * (WIDTH - LEFT), 1)


def _bars(number: int, step: StepTold, lanes: Sequence[str], story: Story) -> Iterable[Bar]:
    """A step that was done on both hosts has a bar on both; one whose hosts are not known is the manager's."""
    x = _x(step.begun_s, story)
    width = max(_NARROWEST, _x(story.length_s if step.ended_s is None else step.ended_s, story) - x)
    x = min(x, WIDTH - width)
    kind = "undo" if step.undo and step.state == "done" else step.state.split()[0]
    title = f"{number}. {'undo ' if step.undo else ''}{step.name}: {step.state}"
    for lane in [lanes.index(host) + 1 for host in step.on if host in lanes] or [0]:
        yield Bar(x, lane * LANE + 6, width, kind, str(number) if width >= _NUMBER_FITS else "", title)


def _window(story: Story) -> tuple[float, float] | None:
    if story.window_opened_s is None:
        return None
    x = _x(story.window_opened_s, story)
    end = story.length_s if story.window_closed_s is None else story.window_closed_s
    return x, max(_NARROWEST, _x(end, story) - x)


def _graphs(story: Story) -> list[Graph]:
    left = [(one.at_s, one.remaining) for one in story.samples if one.remaining is not None]
    rate = [(one.at_s, one.dirty_rate) for one in story.samples if one.dirty_rate is not None]
    total = max((one.total for one in story.samples), default=0.0)
    return [
        *_graph("memory remaining", left, total, "", story),
        *_graph("dirtied", rate, 0.0, "/s", story),
    ]


def _graph(title: str, points: Sequence[tuple[float, float]], top: float, per: str, story: Story) -> Iterable[Graph]:
    top = max(top, *(value for _, value in points)) if points else 0.0
    if top:
        drawn = " ".join(f"{_x(at_s, story)},{GRAPH - value / top * (GRAPH - 10):.1f}" for at_s, value in points)
        yield Graph(title, drawn, f"{size(int(top))}{per}")

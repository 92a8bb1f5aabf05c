"""One operation told from its journal: steps, memory, words, on one time that counts from its begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dualsrm.history.reader import Operation, number_of, text_of, time_of

_MOST_BYTES: Final = 1e18
_ENDS: Final = {"done": "done", "failed": "failed", "undone": "done", "undo-failed": "failed"}
UNFINISHED: Final = "not finished"
OPENS, CLOSES = "open window", "close window"
"""The steps around the window, by their names in `dualsrm.plan.move`."""


@dataclass(frozen=True, slots=True)
class StepTold:
    """A step, or its undo. Times are seconds since the operation began."""

    name: str
    guest: str
    """Of an operation that has several guests in one journal; else empty."""
    on: tuple[str, ...]
    """Where it was done, or looked at. Older journals do not say."""
    undo: bool
    begun_s: float
    ended_s: float | None
    state: str
    """`done`, `failed` or `not finished`."""
    do: tuple[str, ...]
    seen: str


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the copy of memory was, in bytes and bytes per second."""

    at_s: float
    total: float
    remaining: float | None
    dirty_rate: float | None


@dataclass(frozen=True, slots=True)
class Said:
    """Something in words."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Story:
    """All of it."""

    steps: tuple[StepTold, ...]
    samples: tuple[Sample, ...]
    notices: tuple[Said, ...]
    window_opened_s: float | None
    window_closed_s: float | None
    """None as long as nobody has seen it closed."""
    length_s: float
    """Of what is told: to the end, or to the last line."""


@dataclass(slots=True)
class _Telling:
    begun: float | None
    now_s: float = 0.0
    steps: list[StepTold] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    notices: list[Said] = field(default_factory=list)

    def take(self, line: Mapping[str, object]) -> None:
        self._tick(line)
        kind = text_of(line, "kind")
        if kind in ("step", "undo"):
            self._begin(line, undo=kind == "undo")
        elif kind in _ENDS:
            self._end(line, kind)
        elif kind == "copying":
            total, left, rate = (
                number_of(line.get(key), _MOST_BYTES) for key in ("memory_total", "memory_remaining", "dirty_rate")
            )
            if total:
                self.samples.append(Sample(self.now_s, total, left, rate))
        else:
            self.notices += [Said(self.now_s, text) for text in _words(kind, line) if text]

    def _tick(self, line: Mapping[str, object]) -> None:
        """Never back: a clock that was set would draw steps that end before they begin."""
        at = time_of(line)
        by_clock = None if at is None or self.begun is None else number_of(at - self.begun)
        now_s = number_of(line.get("after_s"))
        self.now_s = max(self.now_s, now_s if now_s is not None else by_clock or 0.0)

    def _begin(self, line: Mapping[str, object], *, undo: bool) -> None:
        name, guest = text_of(line, "step"), text_of(line, "guest")
        do, on = _texts(line.get("do")), _texts(line.get("on"))
        self.steps.append(StepTold(name, guest, on, undo, self.now_s, None, UNFINISHED, do, ""))

    def _end(self, line: Mapping[str, object], kind: str) -> None:
        about = text_of(line, "step"), text_of(line, "guest"), kind.startswith("und")
        for number, step in reversed(list(enumerate(self.steps))):
            if (step.name, step.guest, step.undo) == about and step.ended_s is None:
                ended = replace(step, ended_s=self.now_s, state=_ENDS[kind], seen=text_of(line, "seen"))
                self.steps[number] = ended
                return
        # `failed` names the step that was to be done, and its line may be lost.
        self.notices.append(Said(self.now_s, f"{about[0]}: {_ENDS[kind]} {text_of(line, 'seen')}".strip()))


def tell(operation: Operation, lines: Iterable[Mapping[str, object]]) -> Story:
    """The story of an operation from its lines."""
    telling = _Telling(operation.begun)
    for line in lines:
        telling.take(line)
    opened_s, closed_s = _window(telling.steps)
    return Story(
        tuple(telling.steps), tuple(telling.samples), tuple(telling.notices), opened_s, closed_s, telling.now_s
    )


def _window(steps: Sequence[StepTold]) -> tuple[float | None, float | None]:
    """When two Primaries were asked for first, and when it was last seen that they are not allowed."""
    opened = next((step.begun_s for step in steps if step.name == OPENS and not step.undo), None)
    closings = [step for step in steps if step.state == "done" and (step.name, step.undo) in _CLOSINGS]
    return opened, closings[-1].ended_s if closings and opened is not None else None


_CLOSINGS: Final = ((CLOSES, False), (OPENS, True))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _words(kind: str, line: Mapping[str, object]) -> tuple[str, ...]:
    """What a line has to say that is neither a step nor a sample."""
    return _texts(line.get("seen")) if kind == "warning" else (_sentence(kind, line),)


def _sentence(kind: str, line: Mapping[str, object]) -> str:
    """Empty for a line that says nothing to a person."""
    match kind:
        case "notice":
            return text_of(line, "text")
        case "released":
            return f"the lock that {text_of(line, 'operation')} had left on {text_of(line, 'host')} was released"
        case "crossed":
            return f"outcome: {text_of(line, 'outcome')}: {text_of(line, 'meaning')}"
        case "fenced":
            off = "was seen off" if line.get("off") is True else "was not seen off"
            return f"{text_of(line, 'peer')} {off} {text_of(line, 'why')}".strip()
        case "guest":
            seen = text_of(line, "seen")
            return f"{text_of(line, 'guest')}: {text_of(line, 'outcome')}" + (f": {seen}" if seen else "")
    return ""

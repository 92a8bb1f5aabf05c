"""The picture in the README: commands run for real in a lab, their terminal as an animated SVG.

    vagrant/lab up && .venv/bin/python -m docs.reference.recording [--lab NAME] docs/migration.svg

The terminal is a real one (a pty, emulated by pyte), the times are as they were but for pauses longer than a second,
which are cut to that. One who asks for reduced motion sees the last picture.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeAlias
from xml.sax.saxutils import escape

import click
import pyte

LAB = Path(__file__).resolve().parents[2] / "vagrant" / "lab"
COMMANDS = ("dualsrm status", "dualsrm migrate web")
COLUMNS, ROWS = 96, 24
LONGEST_PAUSE_S = 1.0
SHORTEST_LOOK_S = 0.5
"""What stood for less is left out: a progress bar moves ten times a second."""
_LAST_S = 5.0
_CELL_W, _CELL_H, _MARGIN = 8.4, 18, 12
_COLOURS = {
    "default": "#d0d0d0",
    "black": "#707070",
    "red": "#f07178",
    "green": "#a5d46a",
    "brown": "#e6c07b",
    "blue": "#82aaff",
    "magenta": "#c792ea",
    "cyan": "#7fdbca",
    "white": "#ffffff",
}


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one look, side by side."""

    column: int
    text: str
    colour: str
    bold: bool


Line: TypeAlias = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The whole screen, and for how long it stood."""

    lines: tuple[Line, ...]
    seconds: float


def screen_of(screen: pyte.Screen) -> tuple[Line, ...]:
    """What a terminal shows now."""
    return tuple(tuple(_runs(screen, row)) for row in range(screen.lines))


def _runs(screen: pyte.Screen, row: int) -> Iterator[Run]:
    cells = [screen.buffer[row][column] for column in range(screen.columns)]
    column = 0
    for (colour, bold), alike in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
        text = "".join(cell.data for cell in alike)
        if text.strip():
            shown = text.strip(" ")
            yield Run(column + text.index(shown), shown, _colour(colour), bold)
        column += len(text)


def _colour(name: str) -> str:
    """pyte names the first eight, with `bright` before them, and gives six hexadecimal digits for all others."""
    plain = name.removeprefix("bright")
    return _COLOURS.get(plain, f"#{plain}")


class Recorder:
    """A screen, and what it showed when."""

    def __init__(self) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.frames: list[Frame] = []
        self._stood = 0.0

    def feed(self, data: bytes, seconds: float) -> None:
        """It stood for so long as it is, then this came."""
        shown, self._stood = screen_of(self._screen), self._stood + seconds
        if self.frames and self.frames[-1].lines == shown:
            self._stood += self.frames.pop().seconds
        if self._stood >= SHORTEST_LOOK_S:
            self.frames.append(Frame(shown, min(self._stood, LONGEST_PAUSE_S)))
            self._stood = 0.0
        self._stream.feed(data)

    def end(self) -> None:
        """The last picture stands for a while."""
        self.frames.append(Frame(screen_of(self._screen), _LAST_S))

    def run(self, argv: Sequence[str]) -> None:
        """A command in the terminal; one that fails ends the recording."""
        terminal, end = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
        with subprocess.Popen(
            argv, stdin=end, stdout=end, stderr=end, env=environment, start_new_session=True
        ) as process:
            os.close(end)
            before = time.monotonic()
            with suppress(OSError):  # Linux ends a terminal nobody holds any more by EIO
                while data := os.read(terminal, 1 << 16):
                    now = time.monotonic()
                    self.feed(data, now - before)
                    before = now
            os.close(terminal)
        if process.returncode != 0:
            raise click.ClickException(f"{argv}: {process.returncode}")


def svg(frames: Sequence[Frame], title: str) -> str:
    """The frames below each other, moved past a window by a style sheet; each different line stands in it once."""
    rows = max((number + 1 for frame in frames for number, line in enumerate(frame.lines) if line), default=1)
    lines = {
        line: f"l{number}" for number, line in enumerate(dict.fromkeys(one for f in frames for one in f.lines if one))
    }
    width, height = COLUMNS * _CELL_W + 2 * _MARGIN, rows * _CELL_H + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_style(frames, rows * _CELL_H)}</style>",
        f'<rect width="{width:g}" height="{height:g}" rx="6" fill="#1e2127"/>',
        "<defs>",
        *(f'<g id="{name}">{"".join(map(_text, line))}</g>' for line, name in lines.items()),
        "</defs>",
        f'<svg x="{_MARGIN}" y="{_MARGIN}" width="{COLUMNS * _CELL_W:g}" height="{rows * _CELL_H}"><g class="film">',
    ]
    for number, frame in enumerate(frames):
        at = number * rows
        parts += [
            f'<use href="#{lines[line]}" y="{(at + row) * _CELL_H}"/>' for row, line in enumerate(frame.lines) if line
        ]
    return "\n".join([*parts, "</g></svg>", "</svg>"]) + "\n"


def _style(frames: Sequence[Frame], height: int) -> str:
    whole = sum(frame.seconds for frame in frames)
    steps, at = [], 0.0
    for number, frame in enumerate(frames):
        steps.append(f"{100 * at / whole:.2f}%{{transform:translateY({-number * height}px)}}")
        at += frame.seconds
    last = f"transform:translateY({-(len(frames) - 1) * height}px)"
    return (
        "text{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}"
        f"@keyframes play{{{''.join(steps)}to{{{last}}}}}"
        f".film{{animation:play {whole:.1f}s step-end infinite}}"
        f"@media(prefers-reduced-motion:reduce){{.film{{animation:none;{last}}}}}"
    )


def _text(run: Run) -> str:
    bold = ' font-weight="bold"' if run.bold else ""
    return (
        f'<text x="{run.column * _CELL_W:g}" y="14" textLength="{len(run.text) * _CELL_W:g}" '
        f'lengthAdjust="spacingAndGlyphs" fill="{run.colour}"{bold}>{escape(run.text)}</text>'
    )


@click.command()
@click.option("--lab", default="lab", show_default=True)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def main(lab: str, file: Path) -> None:
    """Run the commands, write the picture."""
    recorder = Recorder()
    for command in COMMANDS:
        recorder.feed(f"\x1b[1m$ {command}\x1b[0m\r\n".encode(), LONGEST_PAUSE_S)
        recorder.run([str(LAB), "--name", lab, *command.split()])
    recorder.end()
    file.write_text(svg(recorder.frames, "; ".join(COMMANDS)))
    click.echo(f"{len(recorder.frames)} frames, {file.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main())

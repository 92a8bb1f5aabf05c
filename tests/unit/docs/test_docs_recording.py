"""The recording for the README: what a terminal showed, as one picture that moves."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

import click
import pytest

from docs.reference.recording import LONGEST_PAUSE_S, SHORTEST_LOOK_S, Frame, Recorder, Run, svg

SVG = "{http://www.w3.org/2000/svg}"


def _texts(frame: Frame) -> list[str]:
    return [" ".join(run.text for run in line) for line in frame.lines if line]


def test_a_command_runs_in_a_terminal() -> None:
    recorder = Recorder()
    recorder.run([sys.executable, "-c", "import sys; print(sys.stdout.isatty())"])
    recorder.end()
    assert _texts(recorder.frames[-1]) == ["True"]


def test_what_is_written_over_was_seen_before() -> None:
    recorder = Recorder()
    recorder.feed(b"copying\r\n", 0.0)
    recorder.feed(b"\x1b[1A\x1b[2K\x1b[32mmoved", 0.5)
    recorder.end()
    assert ["copying"] in map(_texts, recorder.frames)
    assert _texts(recorder.frames[-1]) == ["moved"]
    assert recorder.frames[-1].lines[0][0].colour == "#a5d46a"


def test_a_command_that_fails_is_no_picture() -> None:
    with pytest.raises(click.ClickException):
        Recorder().run([sys.executable, "-c", "raise SystemExit(3)"])


def test_long_pauses_are_cut_and_unchanged_screens_are_one_frame() -> None:
    recorder = Recorder()
    recorder.feed(b"one\r\n", 0.0)
    recorder.feed(b"", 30.0)
    recorder.feed(b"two", SHORTEST_LOOK_S)
    recorder.end()
    assert [_texts(frame) for frame in recorder.frames] == [["one"], ["one", "two"]]
    assert recorder.frames[0].seconds == LONGEST_PAUSE_S


def test_what_flashes_by_is_left_out_and_its_time_kept() -> None:
    recorder = Recorder()
    recorder.feed(b"1", SHORTEST_LOOK_S)
    recorder.feed(b"2", SHORTEST_LOOK_S / 2)
    recorder.feed(b"3", SHORTEST_LOOK_S / 2)
    recorder.end()
    assert [_texts(frame) for frame in recorder.frames] == [[], ["12"], ["123"]]
    assert recorder.frames[1].seconds == SHORTEST_LOOK_S


def test_the_picture_is_xml_with_every_line_once_and_every_frame() -> None:
    line = (Run(2, "a <b> & c", "#ffffff", bold=True),)
    root = ET.fromstring(svg([Frame((line,), 1.0), Frame((line, line), 1.0)], "dualsrm <status>"))  # noqa: S314 - made by ourselves
    assert root.findtext(f"{SVG}title") == "dualsrm <status>"
    assert [one.text for one in root.iter(f"{SVG}text")] == ["a <b> & c"]
    assert len(list(root.iter(f"{SVG}use"))) == 3

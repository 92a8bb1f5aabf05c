"""`history` and `report`: what the journals hold, shown as what it is, whatever they hold."""

from __future__ import annotations

import csv
import fcntl
import html
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualsrm.cli.page import page
from dualsrm.cli.text import plain
from dualsrm.errors import ExitCode
from dualsrm.history.reader import read_history, read_lines
from dualsrm.history.rows import row
from dualsrm.history.story import tell
from tests.simulator.pair import Fault, SimPair
from tests.unit.cli.running import Program

HOSTILE = [
    '"><script>alert(1)</script>',
    "two\nlines",
    "\x1b[31mred",
    "größe ✓",
    "=1+1",
    "\u202egnirts",
    "\ud800",
    "{{7*7}}",
]


def _line(kind: str, second: int = 0, **facts: object) -> dict[str, object]:
    return {"format": 1, "at": f"2026-11-22T12:00:{second:02}+00:00", "kind": kind, **facts}


def _write(config: Path, name: str, *lines: dict[str, object], torn: str = "") -> Path:
    directory = config.parent / "state" / "operations"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + torn)
    return path


def _intent(second: int = 0, **more: object) -> dict[str, object]:
    return _line(
        "intent", second, verb="migrate", pair="lab", **{"guest": "web", "source": "alpha", "target": "beta", **more}
    )


def _rows(program: Program, *arguments: str) -> list[dict[str, object]]:
    ran = program("history", "--json", *arguments)
    assert ran.code == ExitCode.OK
    found: list[dict[str, object]] = ran.document["operations"]
    return found


def test_no_journal_is_no_operation(program: Program) -> None:
    assert program("history").out == "no operation\n"
    assert _rows(program) == []
    ran = program("report", "last")
    assert (ran.code, "no operation is in the journal" in ran.err) == (ExitCode.USAGE, True)


def test_a_move_is_told_with_who_and_from_where_to_where(program: Program, pair: SimPair) -> None:
    program("migrate", "web")
    (one,) = _rows(program)
    assert (one["outcome"], one["ending"], one["source"], one["target"]) == ("moved", "ok", "alpha", "beta")
    assert "@" in str(one["by"])
    shown = program("history").out
    assert "moved" in shown.replace("\n", "")


def test_a_narrow_terminal_has_a_line_for_each_and_a_name_that_report_takes(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on the lab: at 80 columns each identifier was folded into three lines, and none could be copied."""
    monkeypatch.setenv("COLUMNS", "80")
    program("migrate", "web")
    (line,) = [line for line in program("history").out.splitlines() if "alpha → beta" in line]
    stamp = line.split()[1]
    assert "migrate web (alpha → beta): moved" in program("report", stamp).out


def test_what_has_no_end_is_shown_as_what_it_is(program: Program, config: Path) -> None:
    _write(
        config, "2026-11-22T120000Z-migrate-aaaaaa", _intent(), _line("step", 1, step="promote"), torn='{"kind": "en'
    )
    runs = _write(config, "2026-11-22T120001Z-migrate-bbbbbb", _intent(1))
    with runs.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        newest, oldest = _rows(program)
    assert (newest["outcome"], newest["ending"]) == ("running", "running")
    assert (oldest["outcome"], oldest["step"], oldest["took_s"]) == ("interrupted", "promote", None)
    assert "interrupted in step promote" in program("report", oldest["operation"]).out


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        ("in doubt", "failed"),
        ("recovered", "recovered"),
        ("refused", "nothing"),
        ("a new word", "unknown"),
        ("moved", "ok"),
    ],
)
def test_what_an_end_is_worth(program: Program, config: Path, outcome: str, ending: str) -> None:
    _write(
        config, "2026-11-22T120000Z-migrate-aaaaaa", _intent(), _line("mystery", x=1), _line("end", 9, outcome=outcome)
    )
    (one,) = _rows(program)
    assert (one["outcome"], one["ending"]) == (outcome, ending)


def test_lines_that_make_no_sense_are_counted(program: Program, config: Path) -> None:
    path = _write(config, "2026-11-22T120000Z-migrate-aaaaaa", _intent())
    path.write_text("rubbish\n[]\n" + path.read_text())
    (one,) = _rows(program)
    assert one["unreadable_lines"] == 2


def test_newest_first_and_what_is_inside_another_below_it(program: Program, config: Path) -> None:
    whole, first, second, other = (
        f"2026-11-22T12000{n}Z-{verb}-aaaaaa" for n, verb in enumerate(["evacuate", "migrate", "migrate", "stop"])
    )
    _write(
        config,
        whole,
        _line("intent", verb="evacuate", pair="lab", host="alpha"),
        _line("end", 9, outcome="ok", guests={"web": "moved"}),
    )
    _write(config, first, _intent(1, inside=whole))
    _write(config, second, _intent(2, inside=whole, guest="db"))
    _write(config, other, _line("intent", 3, verb="stop", pair="other", guest="web", host="alpha"))
    assert [one["operation"] for one in _rows(program)] == [other, whole, first, second]
    assert [one["operation"] for one in _rows(program, "--limit", "1")] == [other]
    assert program("history", "--limit", "1", "--json").document["older"] == 1
    assert [one["operation"] for one in _rows(program, "--verb", "migrate")] == [second, first]
    assert [one["operation"] for one in _rows(program, "--guest", "db")] == [second]
    assert [one["operation"] for one in _rows(program, "--pair", "other")] == [other]
    assert [one["operation"] for one in _rows(program, "--since", "2026-11-22T12:00:02+00:00")] == [other, second]
    assert program("report", whole, "--json").document["parts"] == [first, second]
    assert program("report", "2026").code == ExitCode.USAGE, "that may be any of them"
    assert program("report", other[:20]).code == ExitCode.OK
    assert program("report", "last", "--json").document["operation"] == other


def test_since_is_a_time_or_an_age(program: Program) -> None:
    assert program("history", "--since", "7d").code == ExitCode.OK
    assert program("history", "--since", "yesterday").code == ExitCode.USAGE
    assert program("history", "--since", "999999w").code == ExitCode.USAGE


def test_a_journal_that_cannot_be_read_is_said(program: Program, config: Path) -> None:
    (config.parent / "state").mkdir()
    (config.parent / "state" / "operations").write_text("in the way")
    for command in (["history"], ["report", "last"]):
        ran = program(*command)
        assert (ran.code, "cannot be read" in ran.err) == (ExitCode.REFUSED, True)


def test_csv_has_one_line_for_each_and_no_formula(program: Program, config: Path) -> None:
    _write(
        config,
        "2026-11-22T120000Z-migrate-aaaaaa",
        _intent(guest='=HYPERLINK("x")\n,2'),
        _line("end", 9, outcome="moved"),
    )
    (one,) = csv.DictReader(io.StringIO(program("history", "--csv").out))
    assert one["guest"] == '\'=HYPERLINK("x")\\n,2'
    assert (one["ending"], one["took_s"], one["outage_s"]) == ("ok", "9.0", "")


# --- the page -------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags and text of a page, as a browser would have them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def moved(program: Program, tmp_path: Path) -> str:
    assert program("migrate", "web").code == ExitCode.OK
    target = tmp_path / "report.html"
    assert program("report", "last", "--html", str(target)).code == ExitCode.OK
    return target.read_text()


def test_the_page_of_a_move_has_its_steps_its_window_and_its_memory(program: Program, moved: str) -> None:
    told = program("report", "last", "--json").document
    assert [step["name"] for step in told["steps"]][:3] == ["arm", "open window", "promote"]
    assert {tuple(step["on"]) for step in told["steps"] if step["name"] in ("promote", "migrate")} == {
        ("beta",),
        ("alpha", "beta"),
    }
    assert told["window_closed_s"] - told["window_opened_s"] == pytest.approx(told["window_s"], abs=0.01)
    assert len(told["samples"]) >= 2
    assert all(
        later["at_s"] - one["at_s"] >= 0.999 for one, later in zip(told["samples"], told["samples"][1:], strict=False)
    )
    page = Page(moved)
    assert "migrate web (alpha → beta): moved" in page.text
    assert "Memory remaining" in page.text
    assert page.tags.count("polyline") == 2


def test_the_page_loads_nothing_and_runs_nothing(moved: str) -> None:
    assert not {"script", "img", "link", "iframe", "a", "form"} & set(Page(moved).tags)
    assert not {"src", "href", "style", "onload"} & Page(moved).attributes
    assert "default-src 'none'" in html.unescape(moved)
    assert not re.search(r"https?://|url\(|@import", moved)


def test_a_refusal_and_an_undo_are_told(program: Program, pair: SimPair) -> None:
    pair.faults.append(Fault("error", "start_migration"))
    assert program("migrate", "web").code == ExitCode.ROLLED_BACK
    told = program("report", "last", "--json").document
    assert {(step["name"], step["state"]) for step in told["steps"] if step["undo"]} >= {("open window", "done")}
    assert told["window_closed_s"] is not None
    assert "failed" in program("report", "last").out
    pair.disconnect("beta", "web")
    assert program("migrate", "web").code == ExitCode.REFUSED
    assert "refused" in program("report", "last").out
    assert program("report", "last", "--json").document["seen"]


def test_a_file_is_not_replaced_unless_asked(program: Program, tmp_path: Path, moved: str) -> None:
    target = tmp_path / "report.html"
    target.write_text("mine")
    refused = program("report", "last", "--html", str(target))
    assert (refused.code, target.read_text(), "--force" in refused.err) == (ExitCode.USAGE, "mine", True)
    assert program("report", "last", "--html", str(target), "--force").code == ExitCode.OK
    assert target.read_text() == moved
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert program("report", "last", "--html", str(tmp_path / "none" / "x")).code == ExitCode.USAGE


def _page_of(directory: Path, said: str) -> str:
    lines = [
        _intent(guest=said, source=said, target=said, by=said),
        _line("step", 1, step=said, do=[said], on=[said]),
        _line("failed", 2, step=said, seen=said),
        _line("notice", 2, text=said),
        _line("copying", 2, memory_total=1e300, memory_remaining=5, dirty_rate=-1),
        _line("end", 3, outcome=said, seen=said),
    ]
    _write(directory / "dualsrm.toml", "2026-11-22T120000Z-migrate-aaaaaa", *lines)
    (one,) = read_history(directory / "state")
    return page(row(one), tell(one, read_lines(directory / "state", one.name)), [row(one)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1), st.text("<>&\"'/={}%-!", min_size=1)))
def test_no_word_of_a_journal_becomes_a_tag(tmp_path: Path, said: str) -> None:
    seen, harmless = Page(_page_of(tmp_path, said)), Page(_page_of(tmp_path, "x"))
    assert seen.tags == harmless.tags
    assert seen.attributes == harmless.attributes
    assert plain(said) in seen.text


@pytest.mark.parametrize("said", HOSTILE, ids=ascii)
def test_no_word_of_a_journal_reaches_the_terminal_as_it_is(program: Program, config: Path, said: str) -> None:
    _page_of(config.parent, said)
    for command in (("history",), ("history", "--csv"), ("report", "last"), ("report", "last", "--json")):
        ran = program(*command)
        assert ran.code == ExitCode.OK
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]|two\nlines", ran.out)

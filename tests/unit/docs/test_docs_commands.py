"""docs/commands.md, the man pages and the completion are what the programs are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.reference import completion, from_click, man
from docs.reference.pages import Entry, Page
from docs.reference.programs import EXIT_STATUS, HANDLER, Program, programs
from dualsrm.cli.main import cli
from dualsrm.errors import ExitCode
from dualsrm.hostside.fence_peer import Exit
from tests.unit.docs.pages import DOCS, REPOSITORY

AGAIN = "it is made by `python -m docs.reference commands >docs/commands.md`"
REQUESTS = {".TH", ".SH", ".B", ".PP", ".TP"}


def _commands(command: click.Command, *words: str) -> Iterator[tuple[str, click.Command]]:
    yield "-".join(words), command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from _commands(one, *words, name)


def _roff(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in man.write(programs(), directory, "1.2.3", "2026-01-01")}


def test_the_page_of_commands_is_up_to_date() -> None:
    # In a process of its own: click keeps a command's help option from whoever asked for it first, parent or none.
    argv = [sys.executable, "-m", "docs.reference", "commands"]
    path = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'exporters'}"}
    made = subprocess.run(argv, env=path, capture_output=True, text=True, check=True, timeout=60).stdout
    assert (DOCS / "commands.md").read_text() == made, AGAIN


def test_every_program_of_the_package_has_a_page() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert [one.page.name for one in programs()] == list(project["scripts"])


def test_every_command_has_a_man_page_with_every_option(tmp_path: Path) -> None:
    pages = _roff(tmp_path)
    for name, command in _commands(cli, "dualsrm"):
        page = pages.pop(f"{name}.1").replace("\\-", "-")
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert all(re.search(rf"{re.escape(one)}\b", page) for one in parameter.opts), (name, parameter.opts)
        for code in ExitCode:
            assert f".TP\n\\fB{code.value}\\fR\n" in page
    assert set(pages) == {"dualsrm-host.8", "dualsrm-exporter.8"}
    assert "peer\\-is\\-off" in pages["dualsrm-host.8"]
    assert "\\-\\-web.listen\\-address HOST:PORT" in pages["dualsrm-exporter.8"]


def test_a_man_page_names_its_neighbours(tmp_path: Path) -> None:
    pages = _roff(tmp_path)
    assert "\\fBdualsrm\\fR(1)" in pages["dualsrm-migrate.1"]
    assert "\\fBdualsrm\\-split\\-brain\\-show\\fR(1)" in pages["dualsrm-split-brain.1"]
    assert pages["dualsrm-stop.1"].startswith(
        '.TH "DUALSRM-STOP" "1" "2026-01-01" "dualsrm 1.2.3" "dualsrm"\n.SH NAME\n'
    )


def test_no_line_of_text_is_taken_for_a_request(tmp_path: Path) -> None:
    for page in _roff(tmp_path).values():
        assert {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))} <= REQUESTS


def test_text_that_looks_like_roff_stays_text() -> None:
    page = Page(("it",), 1, "it", "it", (".so /etc/passwd", "a\\fB `\\*x -n`"), options=(Entry("'x", ".y"),))
    shown = man.render(Program(page, (), ()), page, None, "1", "")
    assert "\n\\&.so /etc/passwd\n" in shown
    assert "\na\\efB \\fB\\e*x \\-n\\fR\n" in shown
    assert "\n\\fB\\&'x\\fR\n\\&.y\n" in shown


def test_the_exit_status_is_explained_whole() -> None:
    assert list(EXIT_STATUS) == list(ExitCode)
    assert list(HANDLER) == list(Exit)


def test_hidden_commands_have_no_page() -> None:
    @click.group()
    def group() -> None:
        """Show."""

    group.command("secret", hidden=True)(lambda: None)
    group.command("open")(lambda: None)
    assert [one.names for one in from_click.page(group, None, "it").commands] == ["open"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return dict(zip(completion.FILES, completion.write(tmp_path), strict=True))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("dualsrm mi", ["migrate"]),
        ("dualsrm migrate --on-failure r", ["rollback"]),
        ("dualsrm split-brain s", ["show"]),
    ],
)
def test_bash_completes(files: dict[str, Path], words: str, wanted: list[str]) -> None:
    act = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
             _dualsrm_completion dualsrm; echo "${COMPREPLY[@]}" """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-c", act, "bash", str(files["bash"]), *words.split()],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (run.stdout.split(), run.stderr) == (wanted, "")


def test_each_shell_has_a_file_of_its_own(files: dict[str, Path]) -> None:
    assert files["zsh"].read_text().startswith("#compdef dualsrm\n")
    assert "complete --no-files --command dualsrm" in files["fish"].read_text()

"""What pages tell people to type exists: commands and options of `dualsrm`, and TOML that can be read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dualsrm.cli.main import cli
from dualsrm.config import load
from dualsrm.hostside.commands import build_parser
from dualsrm.hostside.settings import load_peer
from tests.unit.docs.pages import DOCS, REPOSITORY

PAGES = [REPOSITORY / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "vagrant/README.md")]
PAGES += sorted(DOCS.rglob("*.md"))
EXAMPLES = DOCS / "examples"
_BLOCK = re.compile(r"^```\w*\n(.*?)^```|^((?: {4}[^\n]*\n)+)", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CALL = re.compile(r"(?:^|(?<=\S) |\()(dualsrm(?:-host)?) ([a-z][a-z-]*)((?: [^\s;&|#`]+)*)")
_OPTION = re.compile(r"--[a-z][a-z-]*")


def _calls(page: Path) -> Iterator[tuple[str, str, str]]:
    text = page.read_text()
    code = [found[1] or found[2] for found in _BLOCK.finditer(text)]
    code += _INLINE.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    for part in code:
        for line in part.splitlines():
            yield from _CALL.findall(line.strip())


def _known_options(program: str, verb: str, rest: str) -> set[str] | None:
    """None: there is no such command."""
    if program == "dualsrm-host":
        (commands,) = (one for one in build_parser()._actions if one.dest == "command")
        parser = (commands.choices or {}).get(verb) if isinstance(commands.choices, dict) else None
        return None if parser is None else {name for one in parser._actions for name in one.option_strings}
    command = cli.commands.get(verb)
    if isinstance(command, click.Group):
        words = [word for word in re.split(r"[ ,]+", rest) if word in command.commands]
        below = [command.commands[word] for word in words] or list(command.commands.values())
        return {name for one in below for name in _options(one)}
    return None if command is None else _options(command)


def _options(command: click.Command) -> set[str]:
    return {name for one in command.params for name in one.opts} | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_a_page_names_exists(page: Path) -> None:
    for program, verb, rest in _calls(page):
        known = _known_options(program, verb, rest)
        assert known is not None, f"{program} has no command {verb}"
        assert set(_OPTION.findall(rest)) <= known, f"{program} {verb}{rest}"


def test_the_pages_do_name_commands() -> None:
    """The search above finds what is there to find."""
    found = {verb for page in PAGES for program, verb, _ in _calls(page) if program == "dualsrm"}
    assert found >= set(cli.commands)


def test_toml_in_pages_can_be_read() -> None:
    blocks = [block for page in PAGES for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.S | re.M)]
    assert blocks
    for block in blocks:
        tomllib.loads(block)


def test_the_examples_are_accepted(tmp_path: Path) -> None:
    for name, mode in (("dualsrm.toml", 0o600), ("host.toml", 0o600)):
        (tmp_path / name).write_text((EXAMPLES / name).read_text())
        (tmp_path / name).chmod(mode)
    settings = load(tmp_path / "dualsrm.toml")
    assert set(settings.pairs["office"].hosts) == {"alpha", "beta"}
    if (tmp_path / "host.toml").stat().st_uid == 0:  # the host's own file has to be root's
        fence = load_peer("beta", tmp_path / "host.toml").fence
        assert fence is not None
        assert fence.agent == "fence_ipmilan"

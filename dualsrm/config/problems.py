"""What is wrong with the file, in words: the key, its line, what was found, what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import ErrorDetails

from dualsrm.config.schema import Key, describe, keys_of
from dualsrm.errors import ConfigError

NOTHING_DONE = "Without a valid configuration no host is contacted and nothing is touched."


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: at which key, and what to say of it."""

    key: Key
    text: str


def refusal(path: Path, text: str, problems: Iterable[Problem]) -> ConfigError:
    """All faults in one error, each with its key and line."""
    lines = _lines(text)
    said = [f"{_shown(p.key)}{_at(lines, p.key)}: {p.text}" for p in problems]
    seen = f"{path}: {said[0]}" if len(said) == 1 else "\n  ".join([f"{path} has {len(said)} errors:", *said])
    return ConfigError(seen, why=NOTHING_DONE, fix=f"Correct {path}; docs/configuration.md names every key.")


def _at(lines: Mapping[Key, int], key: Key) -> str:
    """The line of a key, or else of the table it should be in."""
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return f" (line {lines[key[:length]]})"
    return ""


_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_ENTRY_HEADER = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")


def _lines(text: str) -> dict[Key, int]:
    """Where each key stands, as far as a look at each line tells; tomllib keeps no positions.

    The tables of an array, [[name]], are counted from 1.
    """
    found: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if entry := _ENTRY_HEADER.match(line):
            name = _parts(entry[1])
            found.setdefault(name, number)
            table = (*name, str(sum(key[:-1] == name for key in found) + 1))
            found[table] = number
        elif header := _HEADER.match(line):
            table = _parts(header[1])
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            found.setdefault(table + _parts(assignment[1]), number)
    return found


def _parts(dotted: str) -> Key:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def key_problem(detail: ErrorDetails) -> Problem:
    """What pydantic found at one key, in our words. Entries of a list are counted from 1."""
    key = tuple(str(part + 1 if isinstance(part, int) else part) for part in detail["loc"] if part != "[key]")
    match detail["type"]:
        case "missing":
            return Problem(key, f"is missing. {describe(key)}".rstrip())
        case "extra_forbidden":
            known = keys_of(key[:-1])
            return Problem(key, f"is no key of dualsrm{did_you_mean(key[-1], known)}; allowed here: {', '.join(known)}")
        case "value_error":
            allowed = str(detail["ctx"]["error"])
        case "too_short" | "too_long":
            allowed = "allowed are exactly two host names" if key[-1:] == ("hosts",) and key[1:] else "one at least"
        case "tuple_type":
            allowed = "allowed is a list, [..., ...]"
        case "model_type" | "dict_type":
            allowed = "allowed is a table" + ("" if key[-1].isdigit() else f", [{_shown(key)}]")
        case _:
            allowed = detail["msg"].replace("Input should be", "allowed is", 1).replace("is True", "is true")
    found = "this name" if "[key]" in detail["loc"] else short(detail["input"])
    return Problem(key, f"found {found}; {allowed}")


def _shown(key: Key) -> str:
    """The key as the file writes it; an odd name is quoted, so that it cannot play tricks on a terminal."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part) for part in key)


def short(value: object) -> str:
    """A value from the file, cut to fit on a line; quoted, so that it cannot play tricks on a terminal."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - one line of a terminal


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, to append to a message; else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""

"""Options in force, from the text of `drbdsetup show`; DRBD 8.4 and 9.

The text holds the shared secret. So only the words in `_KNOWN` and the addresses are kept, and no error quotes what it
read.

Only what differs from the default is printed: a resource in the text without a word about an option has its default.
A resource that is *not* in the text is not in the kernel: nothing is known of its options, and it is not in the result.

Where the options are (captured on 8.4.11 and 9.2.18):

- 8.4: `net {}` of the resource, and `fencing` in the `disk {}` of each volume. A diskless volume has no `disk {}`, a
  StandAlone resource no `net {}`: the kernel has none either then, and behaves as by default.
- 9: `net {}` of each connection, `fencing` in it; it stays while StandAlone. `auto-promote` in `options {}`.

Addresses: 8.4 has them in `_this_host {}` and `_remote_host {}`, none while StandAlone; 9 in each `path {}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dualsrm.hosts.drbd.version import Dialect
from dualsrm.model import RuntimeOptions


class ShowSyntaxError(ValueError):
    """The text is not of `drbdsetup show`. Says where and why, never what stands there: that may be the secret."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line} of `drbdsetup show`: {why}")
        self.line = line


_KNOWN: Final = frozenset(
    {
        "allow-two-primaries",
        "protocol",
        "fencing",
        "after-sb-0pri",
        "after-sb-1pri",
        "after-sb-2pri",
        "rr-conflict",
        "auto-promote",
    }
)
_ADDRESSES: Final = frozenset({"address", "_this_host", "_remote_host"})
_MAX_DEPTH: Final = 16  # real texts have 5

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<comment>\#[^\n]*)|(?P<mark>[{};])"""
    r"""|"(?P<quoted>(?:[^"\\\n]|\\[^\n])*)"|(?P<word>[^\s{};"\#][^\s{};"]*)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the text says of one resource."""

    options: RuntimeOptions
    local_address: str | None = None
    """Without port. None when there is none, or when there are several paths: no pair of ours then."""
    peer_address: str | None = None
    endpoints: tuple[str, str] | None = None
    """Both with port, as DRBD writes them."""


@dataclass(slots=True)
class _Block:
    """A block, its known options and the blocks in it."""

    words: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)

    def below(self, *path: str) -> list[_Block]:
        """All blocks at a path of first words."""
        found = [self]
        for word in path:
            found = [child for block in found for child in block.blocks if child.words[0] == word]
        return found


def parse_show(text: str, dialect: Dialect) -> dict[str, RuntimeOptions]:
    """Options in force by resource name; raises `ShowSyntaxError`."""
    return {name: shown.options for name, shown in read_show(text, dialect).items()}


def read_show(text: str, dialect: Dialect) -> dict[str, Shown]:
    """Options in force and addresses by resource name; raises `ShowSyntaxError`."""
    return {block.words[1]: _shown(block, dialect) for block in _resources(text)}


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, kind (`mark`, `quoted`, `word`) and text of each token."""
    line, position = 1, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ShowSyntaxError(line, "a quote that is not closed, or a character that has no place")
        kind = str(match.lastgroup)
        if kind not in ("space", "comment"):
            yield line, kind, match[kind]
        line += match[0].count("\n")
        position = match.end()


def _resources(text: str) -> list[_Block]:
    """The tree of blocks. A stack instead of recursion: the text's depth must not be our stack's depth."""
    root = _Block(())
    stack = [root]
    words: list[str] = []
    line = 1
    for line, kind, piece in _tokens(text):
        if kind != "mark":
            words.append(piece)
            continue
        if piece == "{":
            _open(stack, words, line)
        elif piece == ";":
            _statement(stack, words, line)
        elif words or len(stack) == 1:
            raise ShowSyntaxError(line, "`}` out of place")
        else:
            stack.pop()
        words = []
    if words or len(stack) > 1:
        raise ShowSyntaxError(line, "the text ends in the middle")
    return root.blocks


def _open(stack: list[_Block], words: list[str], line: int) -> None:
    if not words:
        raise ShowSyntaxError(line, "a block without a name")
    if len(stack) >= _MAX_DEPTH:
        raise ShowSyntaxError(line, "blocks nested too deeply")
    if len(stack) == 1 and (words[0] != "resource" or len(words) != 2):  # noqa: PLR2004 - keyword and name
        raise ShowSyntaxError(line, "something other than a resource")
    block = _Block(tuple(words))
    if len(stack) == 1 and any(other.words == block.words for other in stack[0].blocks):
        raise ShowSyntaxError(line, "a resource for the second time")
    stack[-1].blocks.append(block)
    stack.append(block)


def _statement(stack: list[_Block], words: list[str], line: int) -> None:
    if len(stack) == 1:
        raise ShowSyntaxError(line, "a statement outside a resource")
    if words and words[0] in _KNOWN:
        stack[-1].options[words[0]] = words[1] if len(words) > 1 else "yes"  # a bare word switches on
    elif len(words) > 2 and words[0] in _ADDRESSES:  # noqa: PLR2004 - word, family, address:port
        stack[-1].options[words[0]] = words[2]


def _shown(resource: _Block, dialect: Dialect) -> Shown:
    if dialect is Dialect.V84:
        local = [block.options.get("address") for block in resource.below("_this_host")]
        peer = [block.options.get("address") for block in resource.below("_remote_host")]
    else:
        paths = resource.below("connection", "path")
        local = [path.options.get("_this_host") for path in paths]
        peer = [path.options.get("_remote_host") for path in paths]
    ends = (*local, *peer)
    endpoints = (ends[0], ends[1]) if len(local) == len(peer) == 1 and ends[0] and ends[1] else None
    return Shown(_options(resource, dialect), _only_host(local), _only_host(peer), endpoints)


def _only_host(addresses: list[str | None]) -> str | None:
    """The host of the only `HOST:PORT` or `[HOST]:PORT`."""
    if len(addresses) != 1 or addresses[0] is None:
        return None
    host = addresses[0].rpartition(":")[0]
    return host.removeprefix("[").removesuffix("]") or None


def _options(resource: _Block, dialect: Dialect) -> RuntimeOptions:
    nets = _nets(resource, dialect)
    fencing = _fencing_places(resource, nets, dialect)
    default = RuntimeOptions()
    return RuntimeOptions(
        # Any word but `no` counts as allowed: the careful reading of a window.
        allow_two_primaries=any(net.get("allow-two-primaries", "no") != "no" for net in nets),
        protocol=_agreed(nets, "protocol", default.protocol),
        fencing=_agreed(fencing, "fencing", default.fencing),
        after_sb_0pri=_agreed(nets, "after-sb-0pri", default.after_sb_0pri),
        after_sb_1pri=_agreed(nets, "after-sb-1pri", default.after_sb_1pri),
        after_sb_2pri=_agreed(nets, "after-sb-2pri", default.after_sb_2pri),
        rr_conflict=_agreed(nets, "rr-conflict", default.rr_conflict),
        auto_promote=_auto_promote(resource, dialect),
    )


def _nets(resource: _Block, dialect: Dialect) -> list[dict[str, str]]:
    """Net options, one dictionary per connection."""
    if dialect is Dialect.V84:
        return [_merged(resource.below("net"))]
    return [_merged(connection.below("net")) for connection in resource.below("connection")]


def _fencing_places(resource: _Block, nets: list[dict[str, str]], dialect: Dialect) -> list[dict[str, str]]:
    if dialect is Dialect.V9:
        return nets
    return [_merged(volume.below("disk")) for volume in resource.below("_this_host", "volume")]


def _merged(blocks: list[_Block]) -> dict[str, str]:
    return {key: value for block in blocks for key, value in block.options.items()}


def _agreed(places: list[dict[str, str]], key: str, default: str) -> str:
    """The value in all places; `a/b` when volumes or connections differ, which equals no value a check accepts."""
    return "/".join(sorted({place.get(key, default) for place in places})) or default


def _auto_promote(resource: _Block, dialect: Dialect) -> bool | None:
    if dialect is Dialect.V84:
        return None
    return _merged(resource.below("options")).get("auto-promote", "yes") != "no"

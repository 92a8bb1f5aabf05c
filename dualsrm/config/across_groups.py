"""Faults between groups: pairs and hosts that are none, guests in two groups, an order that has no beginning.

These read the raw file, as `across` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Any

from dualsrm.config.across import tables
from dualsrm.config.problems import Problem, did_you_mean, short

_Tables = Mapping[str, Mapping[str, Any]]


def group_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that no group has wrong by itself."""
    groups = tables(raw, "groups")
    yield from _places(groups, tables(raw, "pairs"))
    yield from _members(groups)
    yield from _guests_named(groups)
    yield from _order(groups)
    yield from _filesystems(groups)


def _words(section: Mapping[str, Any], key: str) -> list[str]:
    found = section.get(key)
    return [word for word in found if isinstance(word, str)] if isinstance(found, list) else []


def _places(groups: _Tables, pairs: _Tables) -> Iterator[Problem]:
    """A pair that exists, and a host of that pair."""
    for group, section in groups.items():
        pair, prefer = section.get("pair"), section.get("prefer")
        if not isinstance(pair, str):
            continue
        if pair not in pairs:
            known = ", ".join(pairs) or "the pairs of this file"
            seen = f"found {short(pair)}, which is no pair{did_you_mean(pair, pairs)}; allowed are {known}"
            yield Problem(("groups", group, "pair"), seen)
            continue
        hosts = _words(pairs[pair], "hosts")
        if isinstance(prefer, str) and prefer not in hosts:
            seen = f"found {short(prefer)}, which is no host of pair {pair}; allowed are {', '.join(hosts)}"
            yield Problem(("groups", group, "prefer"), seen)


def _members(groups: _Tables) -> Iterator[Problem]:
    """Each guest in one group, and no name that is both a guest's and a group's: commands take either."""
    first: dict[str, str] = {}
    for group, section in groups.items():
        key, named = ("groups", group, "guests"), _words(section, "guests")
        for guest in dict.fromkeys(named):
            if named.count(guest) > 1:
                yield Problem(key, f"found {short(guest)} twice; allowed is each guest once")
            if guest in groups:
                yield Problem(key, f"found {short(guest)}, which is the name of a group; `dualsrm start {guest}` could"
                                   " mean either: rename the group")  # fmt: skip
            if (other := first.setdefault(guest, group)) != group:
                apart = section.get("pair") != groups[other].get("pair")
                where = f"group {other}" + (f" of pair {groups[other].get('pair')}" if apart else "")
                yield Problem(key, f"found {short(guest)}, which is in {where} too; a guest is in one group")


def _guests_named(groups: _Tables) -> Iterator[Problem]:
    """Whose agent is asked, whose shutdown differs: guests of the group."""
    for group, section in groups.items():
        members = _words(section, "guests")
        ready, shutdown = section.get("ready"), section.get("shutdown")
        for number, check in enumerate(ready if isinstance(ready, list) else [], start=1):
            guest = check.get("agent") if isinstance(check, dict) else None
            if isinstance(guest, str) and guest not in members:
                yield _no_member(("groups", group, "ready", str(number), "agent"), guest, members)
        for guest in shutdown if isinstance(shutdown, dict) else {}:
            if guest not in members:
                yield _no_member(("groups", group, "shutdown", guest), guest, members)


def _no_member(key: tuple[str, ...], guest: str, members: list[str]) -> Problem:
    known = ", ".join(members) or "the group's guests"
    return Problem(key, f"found {short(guest)}, which is no guest of the group{did_you_mean(guest, members)};"
                        f" allowed are {known}")  # fmt: skip


def _filesystems(groups: _Tables) -> Iterator[Problem]:
    """Each volume holds one file system, and none is mounted at or below another one of its pair."""
    seen: dict[str, dict[str, Any]] = {}
    for group, section in groups.items():
        found = section.get("filesystem")
        if not isinstance(found, dict):
            continue
        for other, theirs in seen.items():
            if section.get("pair") != groups[other].get("pair"):
                continue
            if found.get("resource") == theirs.get("resource"):
                seen_here = (
                    f"found {short(found.get('resource'))}, which group {other} has; a resource moves as a whole"
                )
                yield Problem(("groups", group, "filesystem", "resource"), seen_here)
            mine, yours = (one.get("mount") for one in (found, theirs))
            if isinstance(mine, str) and isinstance(yours, str) and _nested(mine, yours):
                seen_here = f"found {short(mine)}, and group {other} has {short(yours)}; allowed are paths side by side"
                yield Problem(("groups", group, "filesystem", "mount"), seen_here)
        seen[group] = found


def _nested(one: str, other: str) -> bool:
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first == second or first in second.parents or second in first.parents


def _order(groups: _Tables) -> Iterator[Problem]:
    """Groups that exist, and no group that would wait for itself."""
    graph: dict[str, list[str]] = {}
    for group, section in groups.items():
        named = _words(section, "after")
        graph[group] = [other for other in named if other in groups]
        for other in dict.fromkeys(named):
            if other not in groups:
                known = ", ".join(name for name in groups if name != group) or "the groups of this file"
                seen = f"found {short(other)}, which is no group{did_you_mean(other, groups)}; allowed are {known}"
                yield Problem(("groups", group, "after"), seen)
    while cycle := _cycle(graph):
        waiting, awaited = cycle[0], cycle[1]
        path = " after ".join(cycle)
        yield Problem(("groups", waiting, "after"), f"found a circle: {path}; allowed is an order that has a beginning")
        graph[waiting] = [other for other in graph[waiting] if other != awaited]


def _cycle(graph: Mapping[str, list[str]]) -> list[str]:
    """One circle, from a group by what it waits for to itself; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = list(error.args[1])
        path = found[::-1][:-1]  # graphlib's goes from the awaited to the waiting
        first = path.index(min(path))
        path = path[first:] + path[:first]
        return [*path, path[0]]
    return []

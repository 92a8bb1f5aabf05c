"""docs/json.md describes every field of every document, its type too, and nothing else.

The documents are built by the commands themselves, on the simulated pair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dualsrm.cli.main import main
from dualsrm.cli.output import JSON_FORMAT
from dualsrm.model import LockHolder
from tests.simulator.pair import ALPHA, BETA, Fault, ManagerCrash, SimPair
from tests.unit.cli.running import simulated, write_config
from tests.unit.docs.pages import DOCS, rows, sections

Document = dict[str, Any]
FINDING = "A finding"
OPERATIONS = ("migrate", "stop", "start")
SEVERAL = ("evacuate", "migrate-group", "start-group", "stop-group")
FRONT = '[groups.front]\npair = "pair"\nguests = ["web"]\n'
READY = FRONT + '[[groups.front.ready]]\nping = "web"\n'
BACK = '[groups.back]\npair = "pair"\nguests = ["db"]\n[[groups.back.hooks]]\nwhen = "pre"\ncommand = ["/hook"]\n'
BOTH = '[groups.both]\npair = "pair"\nguests = ["db", "web"]\n'
KINDS = (
    "init",
    "status",
    "check",
    "migrate",
    "stop",
    "start",
    "failover",
    "reprotect",
    "failback",
    "split-brain",
    "split-brain-resolve",
    "recover",
    "error",
    *SEVERAL,
    "history",
    "report",
    "test-failover",
    "test-failover-status",
    "test-failover-cleanup",
)


@pytest.fixture
def pair() -> SimPair:
    return SimPair("8.4")


@pytest.fixture
def run(pair: SimPair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Document]:
    def call(*words: str, groups: str = "") -> Document:
        config = write_config(tmp_path, pair, groups)
        with pytest.raises(SystemExit):
            main(["--config", str(config), *words, "--json"], simulated(pair))
        document: Document = json.loads(capsys.readouterr().out)
        return document

    return call


# --- documents ------------------------------------------------------------------------------------


def _init(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    words = ("init", "192.0.2.11", "192.0.2.12", "--force", "--state", "/nonexistent")
    yield run(*words)
    pair.disconnect(BETA, "web")
    pair.libvirt.guests["db"].other_disks = {ALPHA: (("nowhere", 0),), BETA: (("nowhere", 0),)}
    yield run(*words)


def _status(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    run("test-failover", "start", "web")
    yield run("status")
    run("test-failover", "cleanup")
    pair.disconnect(BETA, "web")
    pair.machines[BETA].locks[pair.pair.name] = LockHolder("operation", "manager", "2026-01-01T00:00:00+00:00")
    yield run("status")
    pair.isolate(BETA)
    yield run("status")


def _check(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield run("check", "web")
    pair.disconnect(BETA, "web")
    yield run("check", "web")


def _migrate(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield run("migrate", "web", "--dry-run")
    yield run("migrate", "web")
    pair.faults.append(Fault("error", "start_migration"))
    pair.faults.append(Fault("error", "set_two_primaries", detail="no", times=None))
    yield run("migrate", "db")
    yield run("migrate", "db")  # the window is open: refused


def _stop(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield run("stop", "web", "--dry-run")
    pair.open_device(ALPHA, "web", seconds=100)
    yield run("stop", "web")
    pair.clock.advance(60)
    yield run("stop", "web")
    yield run("stop", "web")


def _start(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield run("start", "web", "--on", BETA)  # it runs at alpha: refused
    run("stop", "web")
    yield run("start", "web", "--on", BETA, "--dry-run")
    yield run("start", "web", "--on", BETA)
    yield run("start", "web")


def _failover(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield run("failover", "web", "--to", BETA)  # alpha lives: refused
    pair.machines[BETA].fence = "works"
    pair.clock.advance(20)
    pair.cut_off(ALPHA)
    pair.clock.advance(60)
    yield run("failover", "--all", "--to", BETA, "--dry-run")
    pair.libvirt.guests["db"].broken_on = BETA
    yield run("failover", "--all", "--to", BETA, groups=READY + BACK)
    pair.libvirt.guests["db"].broken_on = None
    yield run("failover", "--all", "--to", BETA, groups=READY + BACK)
    yield run("failover", "web", "--to", BETA)


def _recover(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield run("recover")
    _die(pair, run, Fault("crash_after", "start_migration"))
    yield run("recover")  # libvirt still migrates: refused
    pair.open_device(ALPHA, "web")  # so that the hosts cannot settle it by themselves
    pair.clock.advance(120)
    yield run("recover")
    pair.drbd.openers.clear()
    yield run("recover")
    pair.faults.append(Fault("crash_after", "demote"))
    with pytest.raises(ManagerCrash):
        run("migrate", "db", "--cold")
    pair.faults.clear()
    pair.restart_manager()
    yield run("recover")
    pair.isolate(BETA)
    yield run("recover")
    pair.reach_again(BETA)


def _die(pair: SimPair, run: Callable[..., Document], fault: Fault) -> None:
    pair.faults.append(fault)
    with pytest.raises(ManagerCrash):
        run("migrate", "web")
    pair.faults.clear()
    pair.restart_manager()


def _error(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield run("check", "no such guest")


def _back(pair: SimPair, run: Callable[..., Document]) -> None:
    pair.machines[BETA].fence = "works"
    pair.power_off(ALPHA)
    pair.clock.advance(30)
    run("failover", "--all", "--to", BETA)
    pair.clock.advance(30)
    pair.power_on(ALPHA)
    pair.clock.advance(60)


def _reprotect(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    _back(pair, run)
    yield run("reprotect", ALPHA, "--dry-run")
    pair.cut_link("web")
    pair.clock.advance(60)
    yield run("reprotect", ALPHA, "--deadline", "10")
    pair.heal_link("web")
    pair.clock.advance(60)
    yield run("reprotect", ALPHA)
    yield run("reprotect", ALPHA)


def _failback(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    _back(pair, run)
    yield run("failback", "--all")  # refused, and one is left
    run("reprotect", ALPHA)
    yield run("failback", "--all", "--dry-run")
    yield run("failback", "web")
    yield run("failback", "--all")  # web stays


def _split_brain(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    pair.cut_link("db-log")
    pair.clock.advance(60)
    pair.drbd.disconnect(BETA, "db-log", "drbdadm disconnect")
    yield run("split-brain", "show")  # behind, and counted by the side that still seeks
    _split(pair, run, "web", "web")
    yield run("split-brain", "show", "web")


def _split(pair: SimPair, run: Callable[..., Document], guest: str, *resources: str) -> None:
    pair.machines[BETA].fence = "works"
    pair.cut_off(ALPHA)
    pair.clock.advance(60)
    run("failover", guest, "--to", BETA)
    pair.clock.advance(30)
    pair.power_on(ALPHA)
    pair.reach_again(ALPHA)
    pair.heal_management_between_hosts()
    for name in resources:
        pair.heal_link(name)
    pair.clock.advance(30)


def _split_brain_resolve(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    _split(pair, run, "db", "db-data", "db-log")
    pair.drbd.connect(ALPHA, "db-log")  # one that seeks its peer has counted
    resolve = ("split-brain", "resolve", "db-data", "db-log", "--victim")
    yield run(*resolve, BETA)  # it runs there: refused
    yield run(*resolve, ALPHA, "--dry-run")
    yield run(*resolve, ALPHA, "--snapshot")
    yield run(*resolve, ALPHA)


def _moves(pair: SimPair, run: Callable[..., Document], groups: str, *command: str) -> Iterator[Document]:
    """To beta, with one that fails, one that cannot, and the rest."""
    yield run(*command, "--dry-run", groups=groups)
    pair.faults.append(Fault("error", "start_migration"))
    yield run(*command, "--jobs", "1", groups=groups)
    pair.disconnect(BETA, "web")
    pair.clock.advance(60)
    yield run(*command, groups=groups)
    yield run(*command, "--keep-going", groups=groups)
    pair.drbd.connect(BETA, "web")
    pair.drbd.connect(ALPHA, "web")
    pair.clock.advance(60)
    yield run(*command, "--dry-run", groups=groups)
    yield run(*command, groups=groups)


def _evacuate(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield from _moves(pair, run, FRONT, "evacuate", ALPHA)


def _migrate_group(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield from _moves(pair, run, BOTH, "migrate", "both", "--to", BETA)


def _start_group(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    yield run("start", "front", "--on", BETA, groups=READY)  # it runs at alpha: refused
    run("stop", "web")
    run("stop", "db")
    yield run("start", "front", "--on", BETA, "--dry-run", groups=READY)
    yield run("start", "front", "--on", BETA, groups=READY)
    yield run("start", "front", groups=FRONT)
    pair.manager.failing.add("/hook")
    yield run("start", "back", "--on", BETA, groups=BACK)


def _stop_group(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    pair.libvirt.guests["web"].persistent = False
    yield run("stop", "front", groups=FRONT)
    pair.libvirt.guests["web"].persistent = True
    yield run("stop", "front", "--dry-run", groups=FRONT)
    yield run("stop", "front", groups=FRONT)
    yield run("stop", "front", groups=FRONT)
    pair.manager.failing.add("/hook")
    yield run("stop", "back", groups=BACK)


def _history(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    run("migrate", "web")
    _die(pair, run, Fault("crash_after", "promote"))
    yield run("history")


def _report(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    run("migrate", "web")
    yield run("report", "last")
    run("evacuate", ALPHA)
    yield run("report", "last")
    run("stop", "db")
    yield run("report", "last")
    _die(pair, run, Fault("crash_after", "promote"))
    yield run("report", "last")


def _test_failover(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    start = ("test-failover", "start")
    yield run(*start, "web", "--to", ALPHA)  # it runs there: refused
    yield run(*start, "--all", "--to", BETA, "--dry-run", groups=READY + BACK)
    pair.libvirt.guests["web"].manners.agent = True
    ready = FRONT + '[[groups.front.ready]]\nagent = "web"\n[[groups.front.ready]]\nping = "web"\n'
    yield run(*start, "--all", "--to", BETA, groups=ready)
    run("test-failover", "cleanup")
    run("migrate", "web")
    both = BOTH + "priority = 1\n"
    yield run(*start, "both", "--to", BETA, groups=both)
    run("test-failover", "cleanup")
    pair.machines[BETA].clones_do_not = "boot"
    yield run(*start, "db", "--to", BETA)
    run("test-failover", "cleanup")
    after = BACK.replace('when = "pre"', 'when = "pre"\non = ["test-failover"]')
    pair.manager.failing.add("/hook")
    yield run(*start, "back", groups=after)
    run("test-failover", "cleanup")


def _test_failover_status(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    run("test-failover", "start", "web", "--snapshot-size", "4")
    yield run("test-failover", "status")
    pair.clock.advance(300)
    yield run("test-failover", "status")
    pair.isolate(BETA)
    yield run("test-failover", "status")


def _test_failover_cleanup(pair: SimPair, run: Callable[..., Document]) -> Iterator[Document]:
    run("test-failover", "start", "web")
    yield run("test-failover", "cleanup")
    yield run("test-failover", "cleanup")


_BUILDERS = (
    _init,
    _status,
    _check,
    _migrate,
    _stop,
    _start,
    _failover,
    _reprotect,
    _failback,
    _split_brain,
    _split_brain_resolve,
    _recover,
    _error,
    _evacuate,
    _migrate_group,
    _start_group,
    _stop_group,
    _history,
    _report,
    _test_failover,
    _test_failover_status,
    _test_failover_cleanup,
)
SCENARIOS = dict(zip(KINDS, _BUILDERS, strict=True))


# --- shapes ---------------------------------------------------------------------------------------

Shape = tuple[str, str]


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case dict():
            return "object"
        case _:
            raise TypeError(value)


def shapes(value: Document, path: str, findings: set[str]) -> Iterator[Shape]:
    """Path and type of everything below an object. Findings and what is keyed by host are named once for all."""
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        here = f"{path}.HOST" if path.endswith("states") else here
        if not isinstance(inner, list):
            yield here, _type(inner)
            if isinstance(inner, dict):
                yield from shapes(inner, here, findings)
        elif here in findings:
            for finding in inner:
                yield from ((f"{FINDING}: {name}", kind) for name, kind in shapes(finding, "", set()))
            yield here, "array of finding"
        elif not inner:
            yield here, "array"
        elif isinstance(inner[0], dict):
            yield here, "array of object"
            for element in inner:
                yield from shapes(element, f"{here}[]", findings)
        else:
            yield here, " or ".join(sorted({f"array of {_type(element)}" for element in inner}))


def documented(section: str) -> dict[str, set[str]]:
    """Path to types, as the page has them."""
    page = sections(DOCS / "json.md")
    text = page["An operation"] if section in OPERATIONS else page["Several guests"] if section in SEVERAL else ""
    text += page[section]
    if section == "report":  # one of the history's rows, and more
        text += "\n".join(line.replace("`operations[].", "`") for line in page["history"].splitlines() if "[]." in line)
    return {path: set(types.split(" or ")) for path, types, *_ in rows(text)}


def _fits(seen: str, types: set[str]) -> bool:
    if seen == "array":
        return any(name.startswith("array") for name in types)
    return seen in types or (seen == "integer" and "number" in types)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented_and_no_other(pair: SimPair, run: Callable[..., Document], kind: str) -> None:
    said = documented(kind)
    findings = {path for path, types in said.items() if "array of finding" in types}
    documents = list(SCENARIOS[kind](pair, run))
    assert {document["kind"] for document in documents} == {kind}
    seen = {shape for document in documents for shape in shapes(document, "", findings)}
    everywhere = documented("Every document")
    finding = {f"{FINDING}: {path}": types for path, types in documented(FINDING).items()}
    fills = findings and kind != "stop"  # what cannot be stopped is an error
    known = {**said, **everywhere, **(finding if fills else {})}
    assert {path for path, _ in seen} == set(known)
    for path, found in seen:
        assert _fits(found, known[path]), f"{path} is {found}, docs/json.md says {known[path]}"


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_be_null_is_seen_null_and_otherwise(pair: SimPair, run: Callable[..., Document], kind: str) -> None:
    said = documented(kind)
    found: dict[str, set[str]] = {}
    for document in SCENARIOS[kind](pair, run):
        for path, name in shapes(document, "", set()):
            found.setdefault(path, set()).add(name)
    for path, types in said.items():
        if "null" in types:
            assert "null" in found[path], f"{path} is never null"
            assert len(found[path]) > 1, f"{path} is always null"


def test_the_scenarios_reach_every_list_that_may_be_filled(pair: SimPair, run: Callable[..., Document]) -> None:
    documents: Sequence[Document] = list(_recover(pair, run))
    filled = {key for document in documents for one in document["pairs"] for key, value in one.items() if value}
    assert filled == {"pair", "settled", "refused", "failed", "closed_operations", "down"}


def test_the_number_of_the_format_is_the_documented_one() -> None:
    assert f"is {JSON_FORMAT} " in sections(DOCS / "json.md")["Every document"]

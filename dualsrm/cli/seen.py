"""What is seen of a pair, for a person: the table of its guests, what is the matter, what mends it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from dualsrm.cli.session import Session
from dualsrm.cli.text import plain, text
from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import interrupted, stopped
from dualsrm.engine.observe import observe
from dualsrm.model import Finding, Pair, Role
from dualsrm.overview import HOST_ANSWERS, GuestLine, HostLine, PairOverview, ResourceLine, Viewpoint, overview


def look(session: Session, environment: Environment, pair: Pair) -> PairOverview:
    """One look at a pair, and what this manager's journals say of it."""
    left = interrupted(session.state_directory, pair.name)
    off = stopped(session.state_directory, pair.name)
    return overview(observe(environment, pair), left[0].operation if left else None, off)


def shown(pair: PairOverview) -> Iterator[Table | Text]:
    """All there is to say of a pair, for a person."""
    for host in pair.hosts:
        for trouble in host.trouble:
            yield text(f"{host.host}: {plain(trouble)}", "bold red")
    for line in _if_lost(pair):
        yield text(line)
    yield _table(pair)
    for line in _under_way(pair):
        yield text(line, "yellow")
    for resource in pair.open_windows:
        yield text(f"{plain(resource)}: two Primaries are allowed, or it is not known", "bold red")
        yield text("  fix: dualsrm recover")
    for resource in pair.split_brains:
        yield text(f"{plain(resource)}: split brain", "bold red")
        yield text(f"  fix: {plain(shlex.join(('dualsrm', 'split-brain', 'show', '--', resource)))}")
    for guest in pair.guests:
        if not guest.active:
            yield text(_off(guest))
    for (seen, fix), guests in _blockers(pair).items():
        yield text(f"{', '.join(map(plain, guests))}: {plain(seen)}", "bold red")
        yield text(f"  fix: {plain(fix)}")


def _blockers(pair: PairOverview) -> dict[tuple[str, str], dict[str, None]]:
    """What stands in the way of a move, and in whose: what is the pair's is said once, not for each guest."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for guest in pair.guests:
        for finding in _worth_saying(guest.blockers):
            found.setdefault((finding.seen, finding.fix), {})[guest.guest] = None
    return found


def _under_way(pair: PairOverview) -> Iterator[str]:
    if (lock := pair.locked_by) is not None:
        yield f"locked by {plain(lock.operation)} of {plain(lock.manager)} since {plain(lock.since)}"
    for host in pair.hosts:
        if host.clones:
            names = ", ".join(map(plain, host.clones))
            yield f"a rehearsal stands on {host.host}: {names}; end it: dualsrm test-failover cleanup"


def _if_lost(pair: PairOverview) -> Iterator[str]:
    """The next question of whoever finds one host silent."""
    silent = [host.host for host in pair.hosts if host.silent]
    if len(silent) == 1:
        (other,) = (host.host for host in pair.hosts if not host.silent)
        argv = ("dualsrm", "failover", "--all", "--to", other, "--dry-run")
        yield f"  if {plain(silent[0])} is lost: {plain(shlex.join(argv))}"


def _worth_saying(blockers: Sequence[Finding]) -> Sequence[Finding]:
    """While a host does not answer, all that it could not be asked has no other reason and no other cure."""
    return () if any(finding.check == HOST_ANSWERS for finding in blockers) else blockers


def _off(guest: GuestLine) -> str:
    """A guest that runs nowhere, and the command that changes that."""
    name = plain(shlex.join(("--", guest.guest)))
    primary = dict.fromkeys(
        point.host for line in guest.resources for point in line.viewpoints if point.role == Role.PRIMARY
    )
    where = f"Primary on {' and '.join(primary)} all the same" if primary else "Secondary on both hosts"
    give_back = f"; dualsrm stop {name} makes it Secondary" if primary else ""
    return f"{plain(guest.guest)} is shut off, {where}: dualsrm start {name}{give_back}"


def _table(pair: PairOverview) -> Table:
    table = Table("guest", "runs on", "resource", "Primary", "replication", "ready", title_justify="left")
    table.title = text(f"pair {pair.pair}: {', '.join(_host(host) for host in pair.hosts)}")
    for guest in pair.guests:
        for number, line in enumerate(guest.resources or (None,)):
            first = number == 0
            table.add_row(
                text(guest.guest) if first else Text(),
                _where(guest) if first else Text(),
                *((text(line.resource), text(_primary(line)), _replication(line)) if line else (Text("-"),) * 3),
                _ready(guest) if first else Text(),
            )
    for line in pair.other_resources:
        table.add_row(Text("-"), Text(), text(line.resource), text(_primary(line)), _replication(line), Text())
    return table


def _ready(guest: GuestLine) -> Text:
    if guest.ready_to_migrate:
        return text("yes", "green")
    return text("no", "bold red") if guest.active else text("-")


def _host(host: HostLine) -> str:
    return f"{host.host} (DRBD {host.drbd_version})" if host.drbd_version else f"{host.host} (unknown)"


def _where(guest: GuestLine) -> Text:
    """Where it is active, with libvirt's word where that is not simply running."""
    active = {host: word for host, word in guest.states.items() if word not in ("absent", "shutoff")}
    if not active:
        return text("shut off", "dim")
    words = [host if word == "running" else f"{host} ({word})" for host, word in active.items()]
    return text(", ".join(words), "green" if list(active.values()) == ["running"] else "bold magenta")


def _primary(line: ResourceLine) -> str:
    """Each host is asked about its own role only."""
    primary = [point.host for point in line.viewpoints if point.role == "Primary"]
    odd = [f"{point.host}: {point.role}" for point in line.viewpoints if point.role not in ("Primary", "Secondary")]
    return ", ".join(primary + odd) or "neither"


def _replication(line: ResourceLine) -> Text:
    """One line where both hosts say the same, both where they differ: a difference is what an operator must see."""
    said = {point.host: _said(point) for point in line.viewpoints}
    if set(said.values()) == {"Connected, UpToDate"}:
        return text("Connected, UpToDate", "green")
    if len(set(said.values())) == 1:
        return text(next(iter(said.values())), "bold magenta")
    return text("; ".join(f"{host}: {words}" for host, words in said.items()), "bold magenta")


def _said(point: Viewpoint) -> str:
    words = [point.connection]
    words += dict.fromkeys((*point.disks, *point.peer_disks))
    words += [word for word in dict.fromkeys(point.replication) if word not in ("Established", "Off")]
    words += [f"I/O suspended ({reason})" for reason in point.suspended]
    words += ["two Primaries allowed"] if point.two_primaries_allowed else []
    return ", ".join(words)

"""The pair's lock, held on both hosts: one operation at a time, whichever machine its manager runs on."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote

from dualsrm.engine.environment import Environment
from dualsrm.engine.journal import Journal, note
from dualsrm.engine.progress import Notice
from dualsrm.errors import CommandFailed, DualsrmError, Refused
from dualsrm.model import LockHolder, Maybe, Pair, Unknown


@contextmanager
def pair_locked(
    environment: Environment,
    pair: Pair,
    journal: Journal,
    *,
    leftovers: Callable[[], Collection[str]] = tuple,
    hosts: tuple[str, ...] | None = None,
) -> Iterator[None]:
    """Hold the lock of the pair on both hosts; refused, with who holds it and since when, if it is taken on either.

    Both hosts are asked at once: of two managers at the same moment each may get one, and then both are refused.
    `journal`: of the operation that takes it.
    `leftovers`: operations of this manager that run no more. A lock that names one is released, and the journal says
    so: that operation could not, because the manager was cut off from the host, or died. Asked only when it is held.
    `hosts`: only these, where the other one is lost.
    """
    hosts = hosts or pair.hosts
    holder = LockHolder(operation=journal.operation, manager=socket.gethostname(), since=environment.clock.now_iso())
    # Counted as ours until another is seen to hold it: a lock taken by a call that timed out is released below.
    taken = set(hosts)
    try:
        found = environment.gather([partial(_take, environment, pair, host, holder, leftovers) for host in hosts])
        held = [(host, by) for host, (by, _) in zip(hosts, found, strict=True) if by is not None]
        taken.difference_update(host for host, _ in held)
        for host, (_, left_by) in zip(hosts, found, strict=True):
            if left_by:
                environment.observer(Notice(f"released on {host}: the lock that {left_by} had left there"))
                note(journal, environment.observer, "released", operation=left_by, host=host)
        for host, by in held:
            raise _held(pair, host, by, alone=len(hosts) == 1)
        yield
    finally:
        environment.gather([partial(release, environment, pair, host, journal.operation) for host in sorted(taken)])


def _take(
    environment: Environment, pair: Pair, host: str, holder: LockHolder, leftovers: Callable[[], Collection[str]]
) -> tuple[Maybe[LockHolder] | None, str]:
    """Who has it, None: we; and whose leftover was released for that."""
    port = environment.ports[host]
    try:
        found = port.lock(pair.name, holder)
        if not isinstance(found, LockHolder) or found.operation not in leftovers():
            return found, ""
        port.unlock(pair.name, found.operation)
        return port.lock(pair.name, holder), found.operation
    except CommandFailed as error:
        raise Refused(
            f"the lock of {pair.name} on {host} could not be taken: {error.seen}",
            why="without it two operations on one pair could open the window for each other",
            fix=f"see that the manager may write below /run on {host}",
        ) from error


def _held(pair: Pair, host: str, found: LockHolder | Unknown, *, alone: bool) -> Refused:
    fix = "wait for that operation; if its manager is dead, run `dualsrm recover --take-over`"
    if alone:  # recover needs the other host as well
        lock = shlex.quote(f"/run/dualsrm/lock-{quote(pair.name, safe='')}.json")
        fix = f"wait for that operation; if its manager is certainly dead: on {host}, rm {lock}"
    if isinstance(found, Unknown):
        who = f"by a holder that cannot be read ({found.why})"
        fix = found.fix or fix
    else:
        who = f"by {found.operation} of the manager on {found.manager} since {found.since}"
    return Refused(
        f"the pair {pair.name} is locked on {host} {who}",
        why="two operations on one pair at once could open the window for each other",
        fix=fix,
    )


def release(environment: Environment, pair: Pair, host: str, operation: str) -> None:
    """Give the lock back on one host, if this operation holds it. A host that does not answer keeps it."""
    try:
        environment.ports[host].unlock(pair.name, operation)
    except DualsrmError as error:
        environment.observer(
            Notice(f"the lock of {pair.name} on {host} was not released: {error.seen}; `dualsrm recover` releases it")
        )

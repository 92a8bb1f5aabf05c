"""What is done around the guests of a group: hooks before and after them, and the wait until it counts as up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from dualsrm.engine.environment import Environment
from dualsrm.engine.progress import Notice
from dualsrm.errors import DualsrmError
from dualsrm.model import AgentAnswers, Group, GroupVerb, Moment, Pair, Readiness

ASK_AGAIN_S = 1.0
"""Between two looks whether a group is ready."""


def run_hooks(environment: Environment, group: Group, verb: GroupVerb, moment: Moment, host: str | None) -> str:
    """Each in turn; empty, or the first that failed and may not."""
    for hook in group.hooks_at(moment, verb):
        about = {
            "DUALSRM_GROUP": group.name,
            "DUALSRM_PAIR": group.pair,
            "DUALSRM_VERB": verb.value,
            "DUALSRM_WHEN": moment.value,
            **({"DUALSRM_HOST": host} if host else {}),
        }
        name = f"the {moment.value} hook {hook.argv[0]} of {group.name}"
        if environment.manager is None:
            failed = "nobody can run it"
        else:
            failed = environment.manager.run_hook(hook.argv, {**hook.environment, **about}, hook.deadline_s)
        if failed and not hook.may_fail:
            return f"{name}: {failed}"
        environment.observer(Notice(f"{name}: {f'{failed}; it may fail' if failed else 'done'}"))
    return ""


class Readying:
    """The wait for one group, a look at a time: what was seen once counts, and each has its own deadline."""

    def __init__(self, group: Group, pair: Pair, now: float) -> None:
        self._pair = pair
        self._since = now
        self._open = list(group.ready)
        self.seconds: float | None = None
        """How long it took until all was seen."""

    def look(self, environment: Environment) -> str | None:
        """None: ask again. Empty: ready. Else what was not seen in time."""
        answers = environment.gather([partial(self._ask, environment, one) for one in self._open])
        lacking = [(one, seen) for one, seen in zip(self._open, answers, strict=True) if seen]
        self._open = [one for one, _ in lacking]
        waited = environment.clock.monotonic() - self._since
        late = [
            f"not seen within {one.deadline_s} s: {one.probe} ({seen})"
            for one, seen in lacking
            if waited >= one.deadline_s
        ]
        if late:
            return "; ".join(late)
        if lacking:
            return None
        self.seconds = waited
        return ""

    def _ask(self, environment: Environment, one: Readiness) -> str:
        if isinstance(one.probe, AgentAnswers):
            return _agent(environment, self._pair.hosts, one.probe.guest)
        return "nobody can ask" if environment.manager is None else environment.manager.probe(one.probe)


def _agent(environment: Environment, hosts: Iterable[str], guest: str) -> str:
    """On either host: where it runs is asked anew each time."""
    said: dict[str, str] = {}
    for host in hosts:
        try:
            seen = environment.ports[host].agent_answers(guest)
        except DualsrmError as error:
            seen = error.seen
        if not seen:
            return ""
        said[host] = seen
    return _joined(said)


def _joined(said: Mapping[str, str]) -> str:
    return "; ".join(f"{host}: {seen}" for host, seen in said.items())

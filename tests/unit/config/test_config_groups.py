"""Groups in the file: what is read, and what is refused before any host is contacted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.config.across_groups import group_problems
from dualsrm.model import (
    AgentAnswers,
    ColdMove,
    CommandSucceeds,
    Group,
    GroupVerb,
    Hook,
    HttpAnswers,
    Moment,
    Pings,
    Probe,
    Readiness,
    Shutdown,
    TcpAccepts,
)
from tests.unit.config.test_config_load import GOOD, file, read, wrong

__all__ = ["file"]


def group(name: str, guests: str, more: str = "") -> str:
    return f'[groups.{name}]\npair = "lab"\nguests = [{guests}]\n{more}\n'


FULL = """\
[groups.store]
pair = "lab"
guests = ["nfs", "iscsi"]
prefer = "beta"
priority = 1
after = ["base"]
start_delay_s = 5
not_ready = "go-on"
cold = "if-not-live"

[[groups.store.ready]]
agent = "nfs"
deadline_s = 30

[[groups.store.hooks]]
when = "pre"
on = ["stop"]
command = ["/bin/echo", "now"]
environment = { WHO = "me" }
on_failure = "go-on"

[groups.store.shutdown.nfs]
deadline_s = 600
destroy = true
"""


def test_a_group_in_full_and_one_with_its_defaults(file: Path) -> None:
    settings = read(file, GOOD + FULL + group("base", '"dns"'))
    assert settings.groups["base"] == Group("base", "lab", ("dns",))
    assert settings.groups["store"] == Group(
        name="store",
        pair="lab",
        guests=("nfs", "iscsi"),
        prefer="beta",
        priority=1,
        after=("base",),
        start_delay_s=5,
        ready=(Readiness(AgentAnswers("nfs"), 30),),
        hold=False,
        hooks=(Hook(Moment.PRE, (GroupVerb.STOP,), ("/bin/echo", "now"), 60, {"WHO": "me"}, may_fail=True),),
        cold=ColdMove.IF_NOT_LIVE,
        shutdown={"nfs": Shutdown(600, True)},
    )
    assert settings.groups["store"].hooks_at(Moment.PRE, GroupVerb.STOP)
    assert not settings.groups["store"].hooks_at(Moment.POST, GroupVerb.STOP)
    assert not settings.groups["store"].hooks_at(Moment.PRE, GroupVerb.START)


@pytest.mark.parametrize(
    ("line", "probe"),
    [
        ('tcp = "192.0.2.1:80"', TcpAccepts("192.0.2.1", 80)),
        ('tcp = "[2001:db8::1]:5432"', TcpAccepts("2001:db8::1", 5432)),
        ('http = "https://web.example/x?y=1"', HttpAnswers("https://web.example/x?y=1")),
        ('ping = "web.example"', Pings("web.example")),
        ('command = ["/bin/true", "-x"]', CommandSucceeds(("/bin/true", "-x"))),
    ],
)
def test_what_may_be_asked(file: Path, line: str, probe: Probe) -> None:
    settings = read(file, GOOD + group("g", '"a"', f"[[groups.g.ready]]\n{line}"))
    assert settings.groups["g"].ready == (Readiness(probe, 120),)
    assert settings.evacuation.jobs == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (group("g", '"a", "a"'), "groups.g.guests (line 17): found 'a' twice"),
        (group("g", ""), "groups.g.guests (line 17): found []; one at least"),
        (group("g", '"a/b"'), "groups.g.guests.1 (line 17): found 'a/b'; allowed is a guest's name"),
        (group("g", '"a"') + group("h", '"a"'), "found 'a', which is in group g too; a guest is in one group"),
        (group("g", '"g"'), "groups.g.guests (line 17): found 'g', which is the name of a group"),
        (group("g", '"a"', 'prefer = "gamma"'), "which is no host of pair lab; allowed are alpha, beta"),
        (group("g", '"a"').replace("lab", "lob"), "found 'lob', which is no pair (did you mean 'lab'?)"),
        (group("g", '"a"', "priority = 6"), "groups.g.priority (line 18): found 6"),
        (group("g", '"a"', 'after = ["h"]'), "groups.g.after (line 18): found 'h', which is no group"),
        (group("g", '"a"', 'after = ["g"]'), "groups.g.after (line 18): found a circle: g after g"),
        (group("g", '"a"', "[[groups.g.ready]]"), "a check has exactly one of agent, tcp, http, ping, command"),
        (group("g", '"a"', '[[groups.g.ready]]\nagent = "b"'), "groups.g.ready.1.agent (line 19): found 'b', which is"),
        (group("g", '"a"', '[[groups.g.ready]]\ntcp = "a"'), "allowed is HOST:PORT"),
        (group("g", '"a"', '[[groups.g.ready]]\ntcp = "a:0"'), "a number from 1 to 65535"),
        (group("g", '"a"', '[[groups.g.ready]]\ntcp = "::1:80"'), "allowed is HOST:PORT"),
        (group("g", '"a"', '[[groups.g.ready]]\nhttp = "ftp://a"'), "allowed are http and https"),
        (group("g", '"a"', '[[groups.g.ready]]\nhttp = "http://u:secret@a/"'), "must name no user and no password"),
        (group("g", '"a"', '[[groups.g.ready]]\ncommand = ["true"]'), "begins with the absolute path of a program"),
        (group("g", '"a"', '[[groups.g.ready]]\nping = "-f"'), "allowed is a host name or an IP address"),
        (group("g", '"a"', '[[groups.g.hooks]]\nwhen = "pre"'), "groups.g.hooks.1.command (line 18): is missing"),
        (
            group("g", '"a"', '[[groups.g.hooks]]\nwhen = "pre"\ncommand = ["/x"]\nenvironment = { DUALSRM_A = "" }'),
            "not one of dualsrm's own",
        ),
        (group("g", '"a"', "[groups.g.shutdown.b]\ndestroy = true"), "groups.g.shutdown.b (line 18): found 'b'"),
        (group("g", '"a"', "[groups.g.shutdown.a]\nkill = true"), "is no key of dualsrm; allowed here: deadline_s, de"),
        ("[evacuation]\njobs = 0\n", "evacuation.jobs (line 16): found 0"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(file: Path, text: str, says: str) -> None:
    assert says in wrong(file, GOOD + text)


def test_guests_of_two_pairs_in_one_group(file: Path) -> None:
    """The file cannot know where a guest is; what it can know is that another pair's group has it."""
    more = GOOD.replace("lab", "two").replace("hosts.alpha", "hosts.gamma").replace("hosts.beta", "hosts.delta")
    more = more.replace('"alpha", "beta"', '"gamma", "delta"').replace("10.79.0.11", "10.79.0.13")
    more = more.replace("beta.example.net", "delta.example.net").replace("fd00::12", "fd00::14")
    more = more.replace("10.79.2.11", "10.79.2.13")
    text = GOOD + more + group("g", '"a"') + group("h", '"a", "b"').replace("lab", "two")
    assert "groups.h.guests" in wrong(file, text)
    assert "found 'a', which is in group g of pair lab too" in wrong(file, text)


def test_a_circle_is_shown_as_a_path(file: Path) -> None:
    text = group("db", '"a"', 'after = ["app"]') + group("nfs", '"b"', 'after = ["db"]')
    seen = wrong(file, GOOD + text + group("app", '"c"', 'after = ["nfs"]'))
    assert "found a circle: app after nfs after db after app; allowed is an order that has a beginning" in seen


def test_two_circles_and_all_else_are_said_at_once(file: Path) -> None:
    text = group("a", '"a1"', 'after = ["b"]') + group("b", '"b1"', 'after = ["a"]')
    text += group("c", '"c1"', 'after = ["d", "nobody"]') + group("d", '"a1"', 'after = ["c"]')
    seen = wrong(file, GOOD + text)
    assert seen.count("found a circle") == 2
    assert "found 'nobody', which is no group" in seen
    assert "found 'a1', which is in group a too" in seen


ODD = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["pair", "guests", "prefer", "after", "ready", "shutdown", "hooks"])


@given(st.dictionaries(st.text(max_size=3), st.dictionaries(KEYS, ODD, max_size=5) | ODD, max_size=4) | ODD)
def test_nothing_in_the_place_of_groups_makes_it_stumble(groups: object) -> None:
    assert all(problem.text for problem in group_problems({"groups": groups, "pairs": {"lab": {"hosts": "x"}}}))

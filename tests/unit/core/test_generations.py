"""Generation identifiers: read from real captures of 8.4 and 9, and compared by the kernel's rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.generations import Relation, relation, together
from dualsrm.hosts.drbd.generations import GenerationError, parse_generation
from dualsrm.model import Generation

FIXTURES = Path(__file__).parents[2] / "fixtures"
RULES = FIXTURES / "rules"


def captured(name: str) -> Generation:
    """What `drbdadm get-gi` printed in one capture."""
    text = (RULES / name).read_text()
    return parse_generation(text.partition("$ drbdadm get-gi vm1\n")[2].splitlines()[0], 0)


def lab(when: str, host: str) -> Generation:
    """The lab's split brain of the trial, before and after it was resolved with beta as its victim."""
    return parse_generation((FIXTURES / "split" / f"8.4-{when}.{host}.get-gi").read_text(), 0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("drbd84/52-dual-primary-split-brain.node1", "drbd84/52-dual-primary-split-brain.node2", Relation.SPLIT),
        ("drbd9/53-dual-primary-split-brain.nine1", "drbd9/53-dual-primary-split-brain.nine2", Relation.SPLIT),
        (
            "drbd84/28-netcut-primary-wfconnection.node1",
            "drbd84/28-netcut-primary-wfconnection.node2",
            Relation.SECOND_BEHIND,
        ),
        ("drbd9/28-netcut-primary-connecting.nine1", "drbd9/28-netcut-primary-connecting.nine2", Relation.SAME),
        ("drbd84/12-dual-primary.node1", "drbd84/12-dual-primary.node2", Relation.SAME),
        ("drbd9/12-dual-primary.nine1", "drbd9/12-dual-primary.nine2", Relation.SAME),
    ],
)
def test_real_pairs(first: str, second: str, expected: Relation) -> None:
    one, other = (captured(f"{name}.drbdadm-queries") for name in (first, second))
    assert relation(one, other) is expected
    assert relation(other, one) is expected.swapped


def test_the_labs_split_brain_before_and_after() -> None:
    assert relation(lab("before", "alpha"), lab("before", "beta")) is Relation.SPLIT
    assert relation(lab("after", "alpha"), lab("after", "beta")) is Relation.SAME
    assert lab("after", "beta").current & ~1 == lab("before", "alpha").current & ~1


@pytest.mark.parametrize(
    "text",
    ["", "vm1", "1:2:3:4:1:1:1", "G" * 16, "8E8FB9EAFC2B7919:454FA7D1DC593055", f"{'0' * 16}:" * 4 + "\n" + "1" * 9],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(GenerationError):
        parse_generation(text, 0)


UUIDS = st.sampled_from([0, 4, 16, 17, 32, 33, 48, 49, 64])
SIDES = st.builds(lambda c, b, h: Generation(0, c, b, h), UUIDS, UUIDS, st.tuples(UUIDS, UUIDS))


@given(SIDES, SIDES)
def test_either_side_says_the_same(first: Generation, second: Generation) -> None:
    assert relation(first, second) is relation(second, first).swapped


@given(SIDES, SIDES)
def test_what_one_began_from_is_no_split_brain(first: Generation, second: Generation) -> None:
    if second.bitmap & ~1 and first.current & ~1 == second.bitmap & ~1:
        assert relation(first, second) is not Relation.SPLIT


@given(SIDES)
def test_the_primary_flag_is_no_difference(side: Generation) -> None:
    other = Generation(0, side.current ^ 1, side.bitmap, side.history)
    assert relation(side, other) is Relation.SAME


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((), Relation.UNKNOWN),
        ((Relation.SAME, Relation.SPLIT), Relation.SPLIT),
        ((Relation.SPLIT, Relation.UNKNOWN), Relation.UNKNOWN),
        ((Relation.SPLIT, Relation.UNRELATED), Relation.UNRELATED),
        ((Relation.FIRST_BEHIND, Relation.SAME), Relation.FIRST_BEHIND),
        ((Relation.FIRST_BEHIND, Relation.SECOND_BEHIND), Relation.UNKNOWN),
    ],
)
def test_volumes_together(found: tuple[Relation, ...], expected: Relation) -> None:
    assert together(found) is expected

from hypothesis import given
from hypothesis import strategies as st

from score.ranges import Collector, Numbers

number_sets = st.sets(st.integers(0, 60))


def numbers(values: set[int]) -> Numbers:
    return Numbers.of((v, v) for v in values)


@given(number_sets, number_sets)
def test_behaves_like_a_set(a: set[int], b: set[int]) -> None:
    assert set(numbers(a) | numbers(b)) == a | b
    assert set(numbers(a) & numbers(b)) == a & b
    assert set(numbers(a) - numbers(b)) == a - b
    assert len(numbers(a)) == len(a)
    assert bool(numbers(a)) == bool(a)
    assert all((v in numbers(a)) == (v in a) for v in range(62))


@given(number_sets, number_sets)
def test_equal_sets_are_equal_values(a: set[int], b: set[int]) -> None:
    assert (numbers(a) - numbers(b)) | (numbers(a) & numbers(b)) == numbers(a)


@given(st.lists(st.integers(0, 60)))
def test_collects_in_any_order(values: list[int]) -> None:
    collector = Collector()
    for value in values:
        collector.add(value)
    assert collector.numbers() == numbers(set(values))


def test_hours_of_numbers_are_one_range() -> None:
    collector = Collector()
    for value in range(1, 100_000):
        collector.add(value)
    assert collector.numbers().ranges == ((1, 99_999),)

"""What a benchmark found, as it is told."""

from __future__ import annotations

import pytest

from benchmarks.measured import Measured, Ratio, Series, as_markdown, on_terminal

SCRIPT = Series("script", "total", (10.0, 30.0, 20.0))
DUALSRM = Series("dualsrm", "total", (22.0, 44.0, 23.0))


@pytest.fixture
def measured() -> Measured:
    return Measured("A move", "The same guest.", (SCRIPT, DUALSRM), (Ratio("total", "dualsrm", "script", 1.1),))


def test_medians_are_compared_with_those_of_the_same_quantity() -> None:
    other = Series("script", "window", (1.0,))
    assert Measured("", "", (SCRIPT, DUALSRM, other)).value(Ratio("total", "dualsrm", "script")) == 23 / 20


def test_terminal(measured: Measured) -> None:
    assert on_terminal(measured).splitlines() == [
        "script  total           20.00 s [10.00-30.00]",
        "dualsrm total           23.00 s [22.00-44.00]",
        "dualsrm / script, total         1.15 (at most 1.1)",
    ]


def test_page(measured: Measured) -> None:
    page = as_markdown(measured)
    assert page.startswith("## A move\n\nThe same guest.\n\n")
    assert "| total | script | 20.00 s | 10.00 s | 30.00 s | 3 |" in page
    assert "| total | dualsrm / script | 1.15 | 1.1 |" in page


def test_plot_has_every_series_on_the_scale_of_its_quantity(measured: Measured) -> None:
    script, dualsrm = (line for line in as_markdown(measured).splitlines() if "│" in line)
    assert (script.count("●"), dualsrm.count("●")) == (1, 1)
    assert dualsrm.endswith("━│"), "the greatest value is at the scale's end"
    assert script.index("━") < script.index("●") < dualsrm.index("━"), "20 s is less than the least of the other"

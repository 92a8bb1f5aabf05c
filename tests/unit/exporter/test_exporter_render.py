"""The page: what every parser takes, whatever the names are."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric as ClientFamily
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as prometheus

from dualsrm.hosts.drbd import Dialect, Progress
from dualsrm_exporter.collected import Collected, Histogram
from dualsrm_exporter.drbd.kernel import Peers, report_kernel
from dualsrm_exporter.drbd.look import whole_dump
from dualsrm_exporter.metrics import ALL, Kind
from dualsrm_exporter.metrics import drbd as m
from dualsrm_exporter.render import render, render_by_client, wants_gzip
from tests.unit.drbd.captures import capture, names
from tests.unit.exporter.rig import IN_SYNC, FakeHost, collect, samples, true_states

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
HOSTILE = ['a"b', "a\\b", "{x}", "a=b,c", "ü\u202e✓", "#HELP", "%s%n", "$(reboot)", "<script>", "'", "\\n", "a\x1bb"]


def openmetrics(text: str) -> list[ClientFamily]:
    """By the library's own strict parser, which it does not type."""
    return list(openmetrics_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def one_of_each(label: str = "x", value: float = 1.5) -> Collected:
    collected = Collected(ALL)
    for metric in ALL:
        labels = [label] * len(metric.labels)
        match metric.kind:
            case Kind.GAUGE | Kind.COUNTER:
                collected.add(metric, value, *labels)
            case Kind.STATESET:
                collected.add_states(metric, {metric.states[0]}, *labels)
            case Kind.INFO:
                collected.add_info(metric, dict.fromkeys(metric.facts, label), *labels)
            case Kind.HISTOGRAM:
                histogram = Histogram(metric.buckets)
                histogram.observe(metric.buckets[1])
                collected.add_histogram(metric, histogram, *labels)
    return collected


def label_values(families: Iterable[ClientFamily]) -> set[str]:
    return {value for family in families for sample in family.samples for value in sample.labels.values()}


@pytest.mark.parametrize("accept", ["", OPEN])
@given(name=st.text(alphabet=st.characters(exclude_categories=())), value=st.floats())
def test_the_page_is_the_one_prometheus_client_would_make(accept: str, name: str, value: float) -> None:
    found = tuple(one_of_each(name, value))
    assert render(found, accept).body == render_by_client(found, accept)


@pytest.mark.parametrize("accept", ["", OPEN])
@pytest.mark.parametrize(("dialect", "name"), names("*.events2-now"))
def test_the_page_of_each_capture_is_the_one_prometheus_client_would_make(
    dialect: Dialect, name: str, accept: str
) -> None:
    collected = Collected(ALL)
    store = whole_dump(capture(dialect, name), dialect)
    report_kernel(collected, store.by_kind(), Peers(dialect, {}), {0: Progress(0.5, 1e9, 123456789)})
    found = tuple(collected)
    assert render(found, accept).body == render_by_client(found, accept)


def test_openmetrics_is_what_its_own_parser_takes() -> None:
    page = render(tuple(one_of_each()), OPEN)
    # 0.0.1 is what Debian 12's prometheus_client calls it.
    assert re.match(r"application/openmetrics-text; version=(1\.0\.0|0\.0\.1);", page.content_type)
    families = {family.name: family for family in openmetrics(page.body.decode())}
    assert {name: family.type for name, family in families.items()} == {one.family: one.kind.value for one in ALL}
    assert {name: family.unit for name, family in families.items()} == {one.family: one.unit for one in ALL}
    assert all(family.documentation for family in families.values())


def test_the_text_format_is_what_its_own_parser_takes() -> None:
    page = render(tuple(one_of_each()))
    assert page.content_type == "text/plain; version=0.0.4; charset=utf-8"
    names = {sample.name for family in prometheus(page.body.decode()) for sample in family.samples}
    assert {metric.name for metric in ALL if metric.kind is not Kind.HISTOGRAM} <= names


@pytest.mark.parametrize("accept", ["", OPEN])
@pytest.mark.parametrize("name", [*HOSTILE, "line\nfeed", "nul\x00", "\r"])
def test_hostile_labels_come_back_as_they_were(accept: str, name: str) -> None:
    text = render(tuple(one_of_each(name)), accept).body.decode()
    assert name in label_values((openmetrics if accept else prometheus)(text))


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_can_be_a_label(name: str) -> None:
    collected = Collected([m.ALARM])
    collected.add(m.ALARM, 1, name)
    body = render(tuple(collected)).body.decode()
    assert body.count("\n") == 3
    assert body.endswith(" 1.0\n")


@pytest.mark.parametrize("name", [name for name in HOSTILE if " " not in name])
def test_hostile_names_of_resources_from_the_kernel_to_the_page(host: FakeHost, name: str) -> None:
    text = capture(host.dialect, f"{IN_SYNC[host.dialect]}.events2-now")
    host.prints(text.replace("name:vm1", f"name:{name}"))
    found = collect(host.collector())
    assert ("dump" in found.failures) is False
    assert true_states(found, m.ROLE) == {(name, "Primary")}
    families = openmetrics(render(tuple(found), OPEN).body.decode())
    assert name in label_values(families)


def test_two_names_a_label_cannot_tell_apart_are_one_sample() -> None:
    """A page with a sample twice is refused as a whole."""
    collected = Collected([m.ALARM])
    collected.add(m.ALARM, 1, "\ud800")
    collected.add(m.ALARM, 0, "\ud801")
    collected.add(m.ALARM, 0, "x" * 1000)
    collected.add(m.ALARM, 0, "x" * 1001)
    assert list(samples(collected, m.ALARM).values()) == [1, 0]


def test_wrong_labels_are_our_own_fault() -> None:
    with pytest.raises(ValueError, match="labels"):
        Collected([m.ALARM]).add(m.ALARM, 1)


def test_unknown_is_not_said() -> None:
    collected = Collected([m.ALARM])
    collected.add(m.ALARM, None, "x")
    assert samples(collected, m.ALARM) == {}


@pytest.mark.parametrize(
    ("accept_encoding", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("br, identity", False),
        ("gzipped", False),
        ("gzip;q=x" + "," * 500, False),
    ],
)
def test_gzip_for_those_who_take_it(accept_encoding: str, *, wanted: bool) -> None:
    assert wants_gzip(accept_encoding) is wanted
    page = render(tuple(one_of_each()), "", accept_encoding)
    assert page.gzipped is wanted
    body = gzip.decompress(page.body) if wanted else page.body
    assert body == render(tuple(one_of_each())).body


@pytest.mark.parametrize(
    "accept",
    ["application/openmetrics-text;version=x.y.z", "text/plain;version=1.x", "*/*", ";;;,,,", "a" * 100_000],
)
def test_an_accept_that_makes_no_sense_gets_a_page(accept: str) -> None:
    assert b"dualsrm_drbd_role" in render(tuple(one_of_each()), accept).body


def test_statesets_keep_their_type_for_those_who_know_it(host84: FakeHost) -> None:
    text = render(tuple(collect(host84.collector())), OPEN).body.decode()
    assert "# TYPE dualsrm_drbd_role stateset" in text
    assert "# TYPE dualsrm_drbd_device_read_bytes counter" in text
    assert text.endswith("# EOF\n")
    assert host84.dialect is Dialect.V84

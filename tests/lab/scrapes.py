"""What the exporter of a lab node serves, fetched from the manager's side as Prometheus would."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial

from prometheus_client.parser import text_string_to_metric_families

from tests.lab.handle import HOSTS, LabHandle, wait_for

ADDRESSES = {"alpha": "10.79.0.11", "beta": "10.79.0.12"}
Labels = frozenset[tuple[str, str]]


class Page:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample with these labels, among others; None when there is none."""
        found = [value for have, value in self._samples.get(name, {}).items() if labels.items() <= dict(have).items()]
        assert len(found) <= 1, f"{name} {labels}: {len(found)} samples"
        return found[0] if found else None

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples with these labels."""
        return sum(value for have, value in self._samples.get(name, {}).items() if labels.items() <= dict(have).items())

    def state(self, name: str, **labels: str) -> str | None:
        """The one state of a stateset that holds; None when the object is not there."""
        held = [
            dict(have)[name]
            for have, value in self._samples.get(name, {}).items()
            if value == 1 and labels.items() <= dict(have).items()
        ]
        assert len(held) <= 1, f"{name} {labels}: {held}"
        return held[0] if held else None

    def fact(self, name: str, fact: str, **labels: str) -> set[str]:
        """What the infos with these labels say."""
        return {dict(have)[fact] for have in self._samples.get(name, {}) if labels.items() <= dict(have).items()}


def scrape(lab: LabHandle, host: str) -> Page:
    """Fetch the page; a scrape has Prometheus' ten seconds."""
    url = f"http://{ADDRESSES[host]}:10184/metrics"
    return Page(lab.lab("exec", "--", "curl", "--silent", "--fail", "--max-time", "10", url).stdout)


def wait_for_page(lab: LabHandle, host: str, what: str, holds: Callable[[Page], bool]) -> Page:
    """Scrape until it holds; the page in which it did."""
    last: list[Page] = []

    def seen() -> bool:
        last[:] = [scrape(lab, host)]
        return holds(last[0])

    wait_for(f"{host}'s exporter to say: {what}", seen, 180)
    return last[0]


def start_exporters(lab: LabHandle, *hosts: str) -> None:
    """Start the unit, as a person would, and wait until it has seen everything."""
    for host in hosts or HOSTS:
        lab.node(host, "systemctl", "start", "dualsrm-exporter")
        wait_for(f"{host}'s exporter to have heard everything", partial(_hears, lab, host), 120)


def _hears(lab: LabHandle, host: str) -> bool:
    try:
        return scrape(lab, host).value("dualsrm_drbd_stream_up") == 1
    except AssertionError:  # nobody listens yet
        return False


def promtool(page: Page) -> str:
    """What Prometheus' own checker has to say against it."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page.text, text=True, capture_output=True, check=False, timeout=60
    )
    return done.stdout + done.stderr

"""Samples, from the text a node wrote to what the judge reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.lab.faults import sampler
from tests.lab.faults.watch import Device, Process, Sample, Watch, parse
from tests.lab.handle import LabHandle

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drbd" / "8.4"


def line(at: float) -> str:
    """As `sampler.main` writes it."""
    drbd = sampler.parse_drbd((FIXTURES / "12-dual-primary.node1.proc-drbd").read_text())
    return json.dumps({"at": at, "guests": {"web": ("running migrated", 12)}, "drbd": drbd}) + "\n"


def sample(at: float) -> Sample:
    device = Device("Connected", "Primary/Primary", "UpToDate/UpToDate", "r-----")
    return Sample(at, {"web": Process("running migrated", 12)}, {"0": device})


def test_what_a_sampler_writes_is_read() -> None:
    assert parse(line(1.5) + line(1.8)) == (sample(1.5), sample(1.8))


def test_a_last_line_cut_short_is_left_out() -> None:
    assert parse(line(1.5) + line(1.8)[:-20]) == (sample(1.5),)


def test_no_samples() -> None:
    assert parse("") == ()


@pytest.mark.parametrize(
    ("state", "runs"),
    [("running booted", True), ("running migrated", True), ("paused migration", False), ("unknown", False)],
)
def test_running_is_libvirt_s_word(state: str, runs: bool) -> None:
    assert Process(state, 1).runs is runs


@pytest.mark.parametrize(
    ("device", "healthy"),
    [
        (Device("Connected", "Secondary/Primary", "UpToDate/UpToDate", "r-----"), True),
        (Device("SyncSource", "Primary/Secondary", "UpToDate/Inconsistent", "r-----"), False),
        (Device("VerifyS", "Primary/Secondary", "UpToDate/UpToDate", "r-----"), False),
        (Device("Connected", "Primary/Secondary", "Diskless/UpToDate", "r-----"), False),
        (Device("Connected", "Primary/Secondary", "UpToDate/UpToDate", "s-----"), False),
    ],
)
def test_a_healthy_device(device: Device, healthy: bool) -> None:
    assert device.healthy is healthy


class Nodes(LabHandle):
    """Two nodes whose sampler's file is what the test says; nothing is started."""

    def __init__(self, **files: str) -> None:
        super().__init__("none")
        self.files = files

    def node(self, host: str, *command: str, check: bool = True) -> str:
        return self.files.get(host, "") if command[0] == "cat" else ""


def test_what_was_saved_before_a_power_cut_comes_before_what_was_seen_after_it() -> None:
    nodes = Nodes(alpha=line(1.5), beta=line(1.6))
    watch = Watch(nodes)
    watch.save("alpha")
    nodes.files["alpha"] = line(9.5)  # the power cut took the first file
    assert watch.stop() == {"alpha": (sample(1.5), sample(9.5)), "beta": (sample(1.6),)}


def test_a_node_whose_file_cannot_be_read_has_no_samples() -> None:
    assert Watch(Nodes(alpha=line(1.5))).stop() == {"alpha": (sample(1.5),), "beta": ()}


STATUS = """<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  virsh edit web
or other application using the libvirt API.
-->
<domstatus state='paused' reason='starting up' pid='1'>
"""


def test_a_guest_is_one_with_a_living_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "STATUS_FILES", tmp_path)
    for name, pid in (("web", str(os.getpid())), ("gone", "4194305"), ("driver", str(os.getpid()))):
        (tmp_path / f"{name}.pid").write_text(pid)
        (tmp_path / f"{name}.xml").write_text(STATUS)
    assert sampler.guests({}) == {"web": ("paused starting up", 0)}  # no virtual CPU's thread here: nothing computed


def test_how_long_a_guest_has_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "STATUS_FILES", tmp_path)
    (tmp_path / "web.pid").write_text("77")
    (tmp_path / "web.xml").write_text(STATUS.replace("paused", "running"))
    (tmp_path / "schedstat").write_text("123456 789 10\n")
    assert sampler.guests({"77": tmp_path / "schedstat"}) == {"web": ("running starting up", 123456)}

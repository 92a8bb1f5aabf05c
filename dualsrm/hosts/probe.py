"""The probe: one command that brings back everything a host says of itself, libvirt apart, and the taking apart of it.

The answer is cut at lines with a nonce made for each probe: whatever a host's tools print, they cannot forge a section.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from dualsrm.errors import CommandFailed
from dualsrm.hosts.deadlines import DRBD_READ_S, PROBE_S
from dualsrm.hosts.drbd.version import VersionError
from dualsrm.hosts.drbd.view import DumpError, drbd_view
from dualsrm.hosts.mounts import mount_view
from dualsrm.hosts.scripts import script_argv
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hosts.text import clean
from dualsrm.model import Certificates, DrbdView, Maybe, MountView, Quarantine, SystemView, Unknown, parse_quarantine

_LAST: Final = "complete"


@dataclass(frozen=True, slots=True)
class Section:
    """What one of the probe's questions brought: exit status, standard output and standard error."""

    status: int
    text: str
    errors: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe's answer."""

    sections: Mapping[str, Section]
    clock_offset_s: Maybe[float]
    """Host clock minus this machine's: the middle of its two readings against the middle of the round trip."""

    def text(self, name: str, command: str) -> Maybe[str]:
        """The text of a section, or why there is none. `command` is what a person would run to see it."""
        section = self.sections.get(name)
        if section is None:
            return Unknown(f"`{command}` was not run")
        if section.status != 0:
            said = clean(section.errors or section.text)
            return Unknown(f"`{command}` ended with {section.status}: {said}")
        return section.text


class Scope(StrEnum):
    """How much is asked: each thing is a process or two on the host."""

    DRBD = "drbd"
    """State and options as the kernel has them."""
    DISKS = "disks"
    """That, and which device names lead to it."""
    ALL = "all"
    """The configuration files and the host itself as well."""
    SURVEY = "survey"
    """What a configuration is made of: name, addresses, bridges, certificates; nothing of DRBD."""


def probe(ssh: SshConnection, scope: Scope = Scope.ALL) -> Probe:
    """Ask a host. Raises `HostUnreachable`, `DeadlineExceeded`, or `CommandFailed` when the answer is no answer."""
    nonce = secrets.token_hex(8)
    ssh.open()  # not part of the round trip the clock is compared over
    started = time.time()
    deadline_s = DRBD_READ_S if scope is Scope.DRBD else PROBE_S
    done = ssh.run(script_argv("probe", nonce, scope), deadline_s=deadline_s)
    middle = (started + time.time()) / 2
    sections = parse_sections(nonce, done.stdout, done.stderr)
    if _LAST not in sections:
        raise CommandFailed(
            f"the probe of {ssh.host.name} broke off (exit {done.exit}): {clean(done.stderr or done.stdout)}",
            why="half an answer is none",
            fix=f"ssh {ssh.host.user}@{ssh.host.address} bash --version: dualsrm needs bash 4.4 or later on the host",
        )
    return Probe(sections, _offset(sections, middle))


def parse_sections(nonce: str, stdout: str, stderr: str) -> dict[str, Section]:
    """The sections of a probe by name. One that was cut off is left out; so is text between sections."""
    errors = {name: text for name, (_, text) in _cut(nonce, stderr).items()}
    return {name: Section(status, text, errors.get(name, "")) for name, (status, text) in _cut(nonce, stdout).items()}


def _cut(nonce: str, text: str) -> dict[str, tuple[int, str]]:
    """In one pass: looking from each beginning for its end would take hours on a hostile host's megabytes of them."""
    found: dict[str, tuple[int, str]] = {}
    name, start = "", 0
    for mark in re.finditer(rf"^{re.escape(nonce)} (?:begin (\w+)\n|end ([0-9]{{1,3}})$)", text, re.MULTILINE):
        if mark[1] and not name:
            name, start = mark[1], mark.end()
        elif mark[2] and name and mark.start() > start:
            found[name] = (int(mark[2]), text[start : mark.start() - 1])
            name = ""
    return found


def drbd_of(answer: Probe) -> Maybe[DrbdView]:
    """DRBD as the probe saw it. Sections a lighter probe did not ask for are Unknown in the view."""
    proc_drbd = answer.text("proc_drbd", "cat /proc/drbd")
    if isinstance(proc_drbd, Unknown):
        return Unknown("DRBD's kernel module is not loaded (no /proc/drbd)")
    events2 = answer.text("events2", "drbdsetup events2 --now --statistics")
    if isinstance(events2, Unknown):
        return events2
    links = answer.text("links", "find /dev/drbd -type l")
    try:
        return drbd_view(
            proc_drbd=proc_drbd,
            events2=events2,
            show=answer.text("show", "drbdsetup show"),
            configured=answer.text("configured", "drbdadm -v dump all"),
            helper=answer.text("helper", "cat /sys/module/drbd/parameters/usermode_helper"),
            adjust=answer.text("adjust", "drbdadm -d adjust all"),
            links="" if isinstance(links, Unknown) else links,
        )
    except (VersionError, DumpError) as error:
        return Unknown(clean(str(error)))


def mounts_of(answer: Probe) -> Maybe[MountView]:
    """What is mounted, and at boot would be; the latter is Unknown in a lighter probe."""
    return mount_view(answer.text("mounts", "cat /proc/self/mountinfo"), answer.text("boot", "cat /etc/fstab"))


def system_of(answer: Probe) -> Maybe[SystemView]:
    """What the host says of itself, from a full probe."""
    interfaces = answer.text("interfaces", "ls /sys/class/net")
    managers = answer.text("managers", "ls /sys/fs/cgroup/system.slice /etc/libvirt/hooks")
    if isinstance(interfaces, Unknown):
        return interfaces
    if isinstance(managers, Unknown):
        return managers
    quarantined = answer.text("quarantined", "ls /var/lib/dualsrm/quarantine")
    if isinstance(quarantined, Unknown):
        return quarantined
    if isinstance(answer.clock_offset_s, Unknown):
        return answer.clock_offset_s
    return SystemView(
        interfaces=frozenset(interfaces.split()),
        clock_offset_seconds=answer.clock_offset_s,
        other_managers=tuple(clean(line) for line in managers.splitlines() if line),
        certificates=certificates_of(answer),
        quarantined=tuple(_quarantine(line) for line in quarantined.splitlines() if "\t" in line),
    )


def certificates_of(answer: Probe) -> Maybe[Certificates]:
    """QEMU's certificates for memory traffic, from a full probe."""
    text = answer.text("certificates", "ls /etc/pki/qemu")
    if isinstance(text, Unknown):
        return text
    directory, *missing = text.splitlines() or [""]
    if not directory.startswith("/"):
        return Unknown(f"the directory of QEMU's certificates reads {clean(directory, 80)!r}")
    return Certificates(clean(directory, 200), tuple(clean(name, 40) for name in missing if name))


def _quarantine(line: str) -> Quarantine:
    name, _, text = line.partition("\t")
    found = parse_quarantine(clean(unquote(name.removesuffix(".json"))), text)
    return replace(found, since=clean(found.since, 40), operation=clean(found.operation, 80))


def available_memory_of(answer: Probe) -> Maybe[int]:
    """Bytes a new process could use without swapping (MemAvailable); libvirt's own figure counts caches as used."""
    text = answer.text("memory", "grep MemAvailable /proc/meminfo")
    if isinstance(text, Unknown):
        return text
    figure = text.strip()
    if not re.fullmatch(r"[0-9]{1,15}", figure):
        return Unknown(f"MemAvailable in /proc/meminfo reads {clean(figure, 40)!r}")
    return int(figure) * 1024


def _offset(sections: Mapping[str, Section], middle: float) -> Maybe[float]:
    readings = [sections[name].text.strip() for name in ("clock_start", "clock_end") if name in sections]
    for reading in readings:
        if not re.fullmatch(r"[0-9]{1,12}\.[0-9]{1,9}", reading):
            return Unknown(f"the host's clock reads {clean(reading, 40)!r}")
    if not readings:
        return Unknown("the host's clock was not read")
    return sum(map(float, readings)) / len(readings) - middle

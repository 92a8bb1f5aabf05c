"""Checks of DRBD's policies: the window shut, protocol C, nobody's data thrown away unasked, a lost link answered."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from dualsrm.checks.case import Case, Findings, each_viewpoint, failed, known, lines, on, passed, warning
from dualsrm.checks.hosts import RECOVER
from dualsrm.model import AT_REST, IN_WINDOW, Resource, RuntimeOptions


def _options(host: str, resource: Resource) -> RuntimeOptions:
    what = f"the options of {resource.name} in force on {host} are not known"
    return known(resource.options, f"{resource.name} on {host}", what, on(host, "drbdsetup", "show", resource.name))


def _in_files(case: Case, setting: str, resource: str) -> str:
    """A policy belongs into the files: set at runtime only, the next adjust takes it back."""
    adjust = lines(*(on(host, "drbdadm", "adjust", resource) for host in case.ends))
    return f"on both hosts write '{setting};' into the net section of {resource}, then: {adjust}"


@each_viewpoint
def window_closed(_: Case, host: str, resource: Resource) -> Findings:
    """Open at rest means that a move died in between, or that somebody set it for good: both are what dualsrm ends."""
    subject = f"{resource.name} on {host}"
    if not _options(host, resource).allow_two_primaries:
        yield passed(subject, "two Primaries are not allowed")
        return
    yield failed(
        subject,
        f"{resource.name} allows two Primaries on {host}, though no move is under way",
        "It is left from an unfinished move, or set for good: anybody may promote the other side and diverge.",
        f"{RECOVER}; if the files say allow-two-primaries, take it out on both hosts first",
    )


@each_viewpoint
def protocol_c(case: Case, host: str, resource: Resource) -> Findings:
    """Only C acknowledges a write when both disks have it; the kernel refuses two Primaries with any other (139)."""
    protocol = _options(host, resource).protocol
    subject = f"{resource.name} on {host}"
    if protocol == "C":
        yield passed(subject, "protocol C")
        return
    yield failed(
        subject,
        f"{resource.name} replicates with protocol {protocol} on {host}",
        "A write may be acknowledged before the target has it; DRBD refuses two Primaries like that.",
        _in_files(case, "protocol C", resource.name),
    )


@each_viewpoint
def after_split_brain(case: Case, host: str, resource: Resource) -> Findings:
    """Two Primaries that diverged are a person's decision; so is any other discard, but that is the owner's to risk."""
    options = _options(host, resource)
    subject = f"{resource.name} on {host}"
    if options.after_sb_2pri != "disconnect":
        yield failed(
            subject,
            f"after-sb-2pri of {resource.name} is {options.after_sb_2pri} on {host}",
            "After a split brain in the window DRBD would choose by itself whose writes to throw away.",
            _in_files(case, "after-sb-2pri disconnect", resource.name),
        )
    policies = {"after-sb-0pri": options.after_sb_0pri, "after-sb-1pri": options.after_sb_1pri}
    automatic = {name: policy for name, policy in policies.items() if policy != "disconnect"}
    for name, policy in automatic.items():
        yield warning(
            subject,
            f"{name} of {resource.name} is {policy} on {host}",
            "After a split brain DRBD discards one side's writes by itself, and nobody sees what was lost.",
            _in_files(case, f"{name} disconnect", resource.name),
        )
    if options.after_sb_2pri == "disconnect" and not automatic:
        yield passed(subject, "nothing is discarded without being asked")


@each_viewpoint
def resync_role_conflict(case: Case, host: str, resource: Resource) -> Findings:
    """A resync onto a Primary takes the data away from under a running guest."""
    policy = _options(host, resource).rr_conflict
    subject = f"{resource.name} on {host}"
    if policy == "disconnect":
        yield passed(subject, "rr-conflict disconnect")
        return
    yield failed(
        subject,
        f"rr-conflict of {resource.name} is {policy} on {host}",
        "If DRBD wants to resync onto a Primary, the guest's disk would change under it.",
        _in_files(case, "rr-conflict disconnect", resource.name),
    )


HANDLER = "/usr/sbin/dualsrm-host fence-peer"
"""The command as the package installs it; it may lie elsewhere."""

_OURS = re.compile(r"/([\w.+-]+/)*dualsrm-host fence-peer", re.ASCII)


@each_viewpoint
def fence_handler(case: Case, host: str, resource: Resource) -> Findings:
    """On link loss the kernel calls drbdadm, and drbdadm the handler that its files name: that must be dualsrm's."""
    drbd = case.drbd(host)
    subject = f"{resource.name} on {host}"
    look = on(host, "drbdadm", "-d", "fence-peer", resource.name)
    handlers = known(drbd.handlers, subject, f"the fence-peer handler of {resource.name} on {host} is not known", look)
    look = on(host, "cat", "/sys/module/drbd/parameters/usermode_helper")
    helper = known(drbd.helper, subject, f"what DRBD's module calls for handlers on {host} is not known", look)
    handler = handlers.get(resource.name)
    why = "When the link is lost nobody would ask the other side: a write is lost, or the guest stays frozen."
    if handler is None:
        fix = _lines_to_add(case, host, resource.name)
        yield failed(subject, f"{resource.name} has no fence-peer handler on {host}", why, fix)
    elif not _OURS.fullmatch(handler.command):
        seen = f"the fence-peer handler of {resource.name} on {host} is not dualsrm's: {handler.command}"
        yield failed(subject, seen, why, f"instead of it, {_lines_to_add(case, host, resource.name)}")
    elif not handler.runnable:
        program = handler.command.split()[0]
        seen = f"the fence-peer handler of {resource.name} is missing on {host}: {program} is no program there"
        yield failed(subject, seen, why, _install(host, program))
    elif PurePosixPath(helper).name != "drbdadm":
        seen = f"DRBD's module on {host} calls {helper or 'nothing'} instead of drbdadm, so no handler is run"
        yield failed(subject, seen, why, _use_drbdadm(host))
    else:
        yield passed(subject, f"fence-peer {handler.command}")


def _lines_to_add(case: Case, host: str, resource: str) -> str:
    """The handler is read at every call; the policy is in force only after an adjust."""
    # DRBD 8.4 takes `fencing` for a disk's option, DRBD 9 for a connection's.
    section = "disk" if case.drbd(host).version.startswith("8.") else "net"
    adjust = lines(*(on(end, "drbdadm", "adjust", resource) for end in case.ends))
    wanted = f"'handlers {{ fence-peer \"{HANDLER}\"; }}' and '{section} {{ fencing {AT_REST}; }}'"
    return f"on both hosts write {wanted} into the common section or into resource {resource}, then: {adjust}"


def _install(host: str, program: str) -> str:
    link = on(host, "ln", "-s", "/opt/dualsrm/bin/dualsrm-host", program)
    return f"install dualsrm on {host} too (docs/installing.md), then: {link}"


def _use_drbdadm(host: str) -> str:
    now = "printf /sbin/drbdadm > /sys/module/drbd/parameters/usermode_helper"
    return f"take usermode_helper out of /etc/modprobe.d on {host}, and for now: {on(host, 'sh', '-c', now)}"


@each_viewpoint
def fencing_policy(case: Case, host: str, resource: Resource) -> Findings:
    """At rest a lost peer is outdated and nobody freezes; only a move asks for more, and takes it back."""
    policy = _options(host, resource).fencing
    subject = f"{resource.name} on {host}"
    if policy == AT_REST:
        yield passed(subject, f"fencing {AT_REST}")
    elif policy == IN_WINDOW:
        yield failed(
            subject,
            f"fencing of {resource.name} is {IN_WINDOW} on {host}, though no move is under way",
            "A lost link would freeze the guest until somebody decides; dualsrm asks for that in a move only.",
            _take_back(case, host, resource.name),
        )
    else:
        yield failed(
            subject,
            f"fencing of {resource.name} is {policy} on {host}",
            "A Secondary that lost its link calls its old copy UpToDate; promoted weeks later, writes are lost.",
            _lines_to_add(case, host, resource.name),
        )


def _take_back(case: Case, host: str, resource: str) -> str:
    """A move sets it in the kernel only: if an adjust would change nothing, the files say it, as Pacemaker wants it."""
    adjust = lines(*(on(end, "drbdadm", "adjust", resource) for end in case.ends))
    files = f"on both hosts write fencing {AT_REST} instead of {IN_WINDOW}, then: {adjust}"
    if case.drbd(host).drift == ():
        return f"the files ask for it, as Pacemaker's set-ups do: {files}"
    return f"{RECOVER}; if the files ask for it, {files}"

"""Checks of DRBD's options in force: the window shut, protocol C, and nobody's data thrown away unasked."""

from __future__ import annotations

from dualsrm.checks.case import Case, Findings, each_viewpoint, failed, known, lines, on, passed, warning
from dualsrm.checks.hosts import RECOVER
from dualsrm.model import Resource, RuntimeOptions


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


@each_viewpoint
def fencing_policy(_: Case, host: str, resource: Resource) -> Findings:
    """Only resource-and-stonith freezes the writing side when the link is lost in the window."""
    policy = _options(host, resource).fencing
    subject = f"{resource.name} on {host}"
    if policy == "resource-and-stonith":
        yield passed(subject, "fencing resource-and-stonith")
        return
    # No fix is named: the policy without a fence-peer handler would freeze the guest for good.
    yield warning(
        subject,
        f"fencing of {resource.name} is {policy} on {host}: a lost link freezes nobody",
        "If replication breaks during the move, the guest arrives without what the source then wrote alone.",
    )

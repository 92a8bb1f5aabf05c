"""Checks of the guest: that it is where it should be, at rest, once, and tied to no host."""

from __future__ import annotations

from dualsrm.checks.case import Case, Findings, each_end, failed, known, on, passed, unknown
from dualsrm.checks.hosts import RECOVER
from dualsrm.model import Domain, DomainState, Finding

_MIGRATION_REASONS = ("migration", "postcopy", "postcopy-failed")
"""Reasons that say that a migration of the guest has not come to its end."""


def guest_on_source(case: Case) -> Findings:
    """Running, or paused by a person. Paused by an I/O error is not healthy, whatever the word."""
    guest, source = case.move.guest, case.move.source
    domain = case.libvirt(source).domain(guest)
    if domain is None:
        seen = f"there is no guest {guest} on {source}"
        yield failed(guest, seen, "Only a guest that is there can move.", on(source, "virsh", "list", "--all"))
    elif not domain.state.known:
        yield unknown(
            guest,
            f"{guest} is in state {domain.state.value!r} on {source}, which this release does not know",
            "A state nobody knows is never taken for running.",
            on(source, "virsh", "domstate", "--reason", guest),
        )
    elif domain.state is DomainState.RUNNING and domain.reason not in _MIGRATION_REASONS:
        yield passed(guest, f"runs on {source}")
    elif domain.state in (DomainState.RUNNING, DomainState.PAUSED):
        yield _halted(domain, source)
    else:
        yield failed(
            guest,
            f"{guest} is {domain.state.value} ({domain.reason}) on {source}",
            "Only a guest that runs or is paused has a memory to move.",
            _revive(domain, source),
        )


def _revive(domain: Domain, source: str) -> str:
    verb = {DomainState.SHUTOFF: "start", DomainState.CRASHED: "start", DomainState.PM_SUSPENDED: "dompmwakeup"}
    if domain.state in verb:
        return on(source, "virsh", verb[domain.state], domain.name)
    return f"wait until it is over: {on(source, 'virsh', 'domstate', '--reason', domain.name)}"


def _halted(domain: Domain, source: str) -> Finding:
    """Paused, or half of a migration: fine only when a person paused it."""
    guest = domain.name
    seen = f"{guest} is {domain.state.value} on {source} ({domain.reason})"
    if domain.reason == "user":
        return passed(guest, f"paused on {source} by a person")
    if domain.reason in _MIGRATION_REASONS:
        # Resuming here could run the guest twice: the other half may be the one that owns it.
        return failed(guest, seen, "An earlier migration left it so; which half is the guest is open.", RECOVER)
    if domain.reason == "ioerror":
        fix = on(source, "virsh", "domblkerror", guest)
        return failed(guest, seen, "Its disk failed a request; libvirt refuses to move it like that.", fix)
    fix = f"find out why, then: {on(source, 'virsh', 'resume', guest)}"
    return failed(guest, seen, "Nobody paused it on purpose; a move would carry the fault along.", fix)


def guest_no_job(case: Case) -> Findings:
    """libvirt allows one job a domain: a backup, a snapshot or another migration is in the way."""
    domain, source = case.domain(), case.move.source
    probe = on(source, "virsh", "domjobinfo", domain.name)
    if known(domain.job_active, domain.name, f"whether {domain.name} has a job on {source} is not known", probe):
        yield failed(
            domain.name,
            f"libvirt on {source} is busy with a job on {domain.name}",
            "Only one job at a time: the migration would wait for it, with the window open.",
            f"wait until it ends, or end it: {on(source, 'virsh', 'domjobabort', domain.name)}",
        )
    else:
        yield passed(domain.name, f"no job on {source}")


def guest_not_on_target(case: Case) -> Findings:
    """Never two QEMUs for one guest."""
    guest, target = case.move.guest, case.move.target
    domain = case.libvirt(target).domain(guest)
    if domain is not None and domain.state.active:
        yield failed(
            guest,
            f"{guest} is also {domain.state.value} ({domain.reason}) on {target}",
            "Two QEMUs of one guest write to one disk.",
            RECOVER,
        )
    else:
        yield passed(guest, f"not active on {target}")


def guest_same_uuid(case: Case) -> Findings:
    """libvirt refuses a guest whose name or UUID is taken by another on the target."""
    domain, target = case.domain(), case.move.target
    why = f"libvirt on {target} refuses the migration; it knows a guest by name and UUID, and both must agree."
    clashes = [
        other for other in case.libvirt(target).domains if (other.name == domain.name) != (other.uuid == domain.uuid)
    ]
    for other in clashes:
        yield failed(
            domain.name,
            f"{domain.name} has UUID {domain.uuid} on {case.move.source}; {target} knows {other.name} as {other.uuid}",
            why,
            f"keep a copy: {on(target, 'virsh', 'dumpxml', '--inactive', other.name)}; then (a move defines the guest"
            f" on {target} by itself) {on(target, 'virsh', 'undefine', '--keep-nvram', other.name)}",
        )
    if not clashes:
        yield passed(domain.name, f"name and UUID {domain.uuid} are free or its own on {target}")


@each_end
def autostart_off(case: Case, host: str) -> Findings:
    """After a power cut both hosts would start what they are told to start."""
    guest = case.move.guest
    domain = case.libvirt(host).domain(guest)
    if domain is not None and domain.autostart:
        yield failed(
            f"{guest} on {host}",
            f"libvirt on {host} starts {guest} at boot",
            "After a power cut the guest would start on a host by itself, on both if both are told to.",
            on(host, "virsh", "autostart", "--disable", guest),
        )
    else:
        yield passed(f"{guest} on {host}", "not started at boot")


def no_host_devices(case: Case) -> Findings:
    """Something of this host in the guest stays behind when the guest leaves."""
    domain, source = case.domain(), case.move.source
    for device in domain.host_devices:
        yield failed(
            domain.name,
            f"{domain.name} uses {device.kind} {device.detail} of {source}",
            "It exists on that host only; the guest cannot take it along.",
            f"remove it from the guest: {on(source, 'virsh', 'edit', domain.name)}",
        )
    if not domain.host_devices:
        yield passed(domain.name, "no device of its host")

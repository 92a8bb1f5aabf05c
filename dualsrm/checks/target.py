"""Checks of the target: that it can run this guest as it is."""

from __future__ import annotations

from dualsrm.checks.case import Case, Findings, failed, known, on, passed, unknown, warning
from dualsrm.model import CpuVerdict, Domain, Nic

MARGIN_BYTES = 256 * 1024 * 1024
"""QEMU's own memory beside the guest's: device models, video, page tables, migration buffers."""

MARGIN_SHARE = 0.05
"""The same again in proportion: page tables and the dirty bitmap grow with the guest."""


def cpu_compatible(case: Case) -> Findings:
    """By libvirt's own comparison of the live CPU with what the target's hypervisor can give."""
    domain = case.domain()
    source, target = case.ends
    # Two commands joined by a pipe: the source's live CPU, judged by the target.
    compare = (
        f"{on(source, 'virsh', 'dumpxml', '--migratable', domain.name)}"
        f" | {on(target, 'virsh', 'hypervisor-cpu-compare', '/dev/stdin')}"
    )
    if domain.cpu_xml is None and case.facts.cpu is not CpuVerdict.INCOMPATIBLE:
        yield passed(domain.name, "names no CPU: QEMU's own model, which every host has")
        return
    verdict = known(case.facts.cpu, domain.name, f"whether {target} has the CPU of {domain.name} is not known", compare)
    if verdict is CpuVerdict.COMPATIBLE:
        yield passed(domain.name, f"{target} can give it its CPU")
        return
    yield failed(
        domain.name,
        f"{target} cannot give {domain.name} the CPU it has on {source}",
        "A guest that uses an instruction the target lacks crashes after the move.",
        f"see what is missing: {compare}; then name a CPU model both hosts have:"
        f" {on(source, 'virsh', 'edit', domain.name)}",
    )


def machine_known(case: Case) -> Findings:
    """The machine type is the guest's hardware; an older QEMU does not know a newer one."""
    domain, target = case.domain(), case.move.target
    probe = on(target, "virsh", "capabilities")
    machines = known(case.libvirt(target).machines, target, f"the machine types of {target} are not known", probe)
    if domain.machine in machines:
        yield passed(domain.name, f"{target} knows {domain.machine}")
        return
    yield failed(
        domain.name,
        f"{domain.name} is a {domain.machine}, which QEMU on {target} does not know",
        "The guest's devices would be others than the ones it runs with; QEMU refuses.",
        f"install on {target} the QEMU of {case.move.source}; what it knows: {probe}",
    )


def versions_not_older(case: Case) -> Findings:
    """State travels to the same or a newer version only."""
    source, target = case.ends
    here, there = case.libvirt(source), case.libvirt(target)
    pairs = {
        "libvirt": (here.libvirt_version, there.libvirt_version),
        "QEMU": (here.hypervisor_version, there.hypervisor_version),
    }
    for what, (old, new) in pairs.items():
        if new >= old:
            yield passed(target, f"{what} {_dotted(new)}, {_dotted(old)} on {source}")
            continue
        yield failed(
            target,
            f"{what} is {_dotted(new)} on {target}, older than {_dotted(old)} on {source}",
            "A newer program's state is not understood by an older one: the guest would fail to resume.",
            f"upgrade {what} on {target} to {_dotted(old)}; what it has: {on(target, 'virsh', 'version')}",
        )


def _dotted(packed: int) -> str:
    return f"{packed // 1_000_000}.{packed // 1000 % 1000}.{packed % 1000}"


def memory_needed(domain: Domain) -> int:
    """The guest's memory and what QEMU needs besides."""
    return domain.memory_bytes + max(MARGIN_BYTES, int(domain.memory_bytes * MARGIN_SHARE))


def memory_on_target(case: Case) -> Findings:
    """Short memory shows when the guest is already there: the kernel then kills somebody, often this QEMU."""
    domain, target = case.domain(), case.move.target
    probe = on(target, "free", "-m")
    free = known(case.libvirt(target).free_memory_bytes, target, f"the free memory of {target} is not known", probe)
    needed = memory_needed(domain)
    said = f"{_mib(free)} free on {target}, {_mib(needed)} needed ({_mib(domain.memory_bytes)} and a margin for QEMU)"
    if free >= needed:
        yield passed(domain.name, said)
    else:
        yield failed(
            domain.name,
            said,
            "QEMU needs more than the guest has; short of it the kernel kills a process, often this one.",
            f"make room on {target}: {probe}; guests there: {on(target, 'virsh', 'list')}",
        )
    if domain.hugepages:
        yield warning(
            domain.name,
            f"{domain.name} wants huge pages; whether {target} has as many free was not looked at",
            "Without them QEMU does not start there, and the move is rolled back.",
            on(target, "virsh", "freepages", "--all"),
        )


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.0f} MiB"


def networks_on_target(case: Case) -> Findings:
    """A guest without its network is not moved, it is lost."""
    domain = case.domain()
    for nic in domain.nics:
        yield from _network(case, nic)
    if not domain.nics:
        yield passed(domain.name, "no network interface")


def _network(case: Case, nic: Nic) -> Findings:
    source, target = case.ends
    guest = case.move.guest
    label = f"{nic.kind} {nic.source}" if nic.source else nic.kind
    why = "The guest would start on the target without its network, or not at all."
    match nic.kind:
        case "network":
            present = nic.source in case.libvirt(target).networks
            fix = on(target, "virsh", "net-start", nic.source or "default")
        case "bridge" | "direct":
            present = nic.source in case.system(target).interfaces
            shown = on(source, "ip", "-details", "link", "show", nic.source or "")
            fix = f"set it up on {target} as it is on {source}: {shown}"
        case "user":
            present, fix = True, ""
        case _:
            yield unknown(
                guest,
                f"{guest} has a network interface of type {label}; whether {target} has it cannot be told",
                why,
                f"attach it to a bridge or network instead: {on(source, 'virsh', 'edit', guest)}",
            )
            return
    if present:
        yield passed(guest, f"{target} has {label}")
    else:
        yield failed(guest, f"{guest} is on {label}, which {target} does not have", why, fix)

"""From what was seen to what it means: which resource backs which disk, and which guest is where.

Nobody types this into a file. The disk's path in the domain XML and DRBD's minor say it, on each host for itself; a
path that leads to one resource here and to another there is exactly what a check wants to see, so nothing is merged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dualsrm.model import Disk, Domain, DrbdView, Filesystem, HostView, LibvirtView, Snapshot, Unknown

# --- disks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnDrbd:
    """A disk that lies on a DRBD volume of the observing host, or in a file on one."""

    disk: Disk
    resource: str
    volume: int
    minor: int
    filesystem: Filesystem | None = None
    """Where it is a file: the file system that holds it, as declared. Whether it is mounted is another question."""

    @property
    def what(self) -> tuple[str, int, str]:
        """What is written to: two disks of which this is equal are one. A whole volume has no path."""
        return self.resource, self.volume, str(self.disk.source) if self.filesystem else ""

    def collides(self, other: OnDrbd) -> bool:
        """Whether two guests with these disks would write to one place."""
        apart = self.filesystem is not None and other.filesystem is not None and self.what != other.what
        return (self.resource, self.volume) == (other.resource, other.volume) and not apart


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A disk that lies on no DRBD volume of the observing host, and what it lies on instead."""

    disk: Disk
    why: str


Placement: TypeAlias = OnDrbd | Elsewhere


def is_writable(disk: Disk) -> bool:
    """Whether the guest can write there: an optical drive cannot, whatever the XML leaves out."""
    return not disk.read_only and disk.kind != "cdrom"


def is_empty(disk: Disk) -> bool:
    """Whether this is a drive for removable media with nothing in it."""
    return disk.source is None and disk.kind in ("cdrom", "floppy")


def writable_disks(domain: Domain) -> tuple[Disk, ...]:
    """The disks whose content has to be the same on both hosts."""
    return tuple(disk for disk in domain.disks if is_writable(disk) and not is_empty(disk))


def placements(domain: Domain, view: HostView) -> tuple[Placement, ...]:
    """Where each writable disk lies, as that host resolves its path."""
    if isinstance(view.drbd, Unknown):
        why = f"DRBD of {view.name} gave no answer: {view.drbd.why}"
        return tuple(Elsewhere(disk, why) for disk in writable_disks(domain))
    drbd = view.drbd
    return tuple(place(disk, drbd, view.filesystems) for disk in writable_disks(domain))


def place(disk: Disk, view: DrbdView, filesystems: tuple[Filesystem, ...] = ()) -> Placement:
    """Where one disk lies. `filesystems`: those declared; a file below the mount point of one lies on its resource."""
    if disk.source is None:
        return Elsewhere(disk, f"{disk.target} names no source")
    if disk.source_type == "file":
        for filesystem in filesystems:
            if filesystem.holds(disk.source):
                return _in_file(disk, view, filesystem)
    if disk.source_type != "block":
        return Elsewhere(disk, f"{disk.target} is of type {disk.source_type} ({disk.source}), not a block device")
    minor = view.minor_of(disk.source)
    if minor is None:
        # An LV or partition on top of DRBD lands here too: its other tenants could not be seen, so it is not followed.
        return Elsewhere(disk, f"{disk.target} is {disk.source}, which is no DRBD device")
    found = view.volume_at(minor)
    if found is None:
        return Elsewhere(disk, f"{disk.target} is {disk.source}, minor {minor}, which no resource that is up has")
    resource, volume = found
    return OnDrbd(disk, resource.name, volume.number, minor)


def _in_file(disk: Disk, view: DrbdView, filesystem: Filesystem) -> Placement:
    minor = view.minor_below(filesystem)
    if minor is None:
        where = f"{filesystem.resource}/{filesystem.volume}"
        return Elsewhere(disk, f"{disk.target} is {disk.source}, and {where} below {filesystem.mount} is not up")
    return OnDrbd(disk, filesystem.resource, filesystem.volume, minor, filesystem)


def filesystems_of(domain: Domain, view: HostView) -> tuple[Filesystem, ...]:
    """The declared file systems a guest has disks on, one or none as a rule. By words alone: no answer is needed."""
    files = [str(disk.source) for disk in domain.disks if disk.source_type == "file" and disk.source is not None]
    return tuple(one for one in view.filesystems if any(one.holds(file) for file in files))


def guest_filesystem(snapshot: Snapshot, guest: str) -> Filesystem | None:
    """The same of a guest by name, as whichever host knows it has it defined."""
    for view in snapshot.views.values():
        domain = None if isinstance(view.libvirt, Unknown) else view.libvirt.domain(guest)
        if domain is not None and (found := filesystems_of(domain, view)):
            return found[0]
    return None


def resources_of(domain: Domain, view: HostView) -> tuple[str, ...]:
    """The resources that back a guest, each once, in the order of its disks. All their volumes move with it."""
    return tuple(dict.fromkeys(spot.resource for spot in placements(domain, view) if isinstance(spot, OnDrbd)))


def tenants(view: HostView, resource: str) -> tuple[Domain, ...]:
    """The guests one host knows with any disk on a resource, read-only disks included: each holds the device open.

    None where the host does not say: whoever needs to know asks it first.
    """
    libvirt, drbd, filesystems = view.libvirt, view.drbd, view.filesystems
    if isinstance(libvirt, Unknown) or isinstance(drbd, Unknown):
        return ()
    return tuple(
        domain
        for domain in libvirt.domains
        if any(
            isinstance(spot := place(disk, drbd, filesystems), OnDrbd) and spot.resource == resource
            for disk in domain.disks
        )
    )


# --- guests ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GuestLocation:
    """Where a guest is, as far as the hosts that answered say."""

    name: str
    active_on: tuple[str, ...]
    """Where a QEMU process exists, be it running, paused or a leftover."""
    defined_on: tuple[str, ...]
    """Where a persistent definition exists, whether it runs or not."""
    unknown_on: tuple[str, ...]
    """Hosts whose libvirt said nothing: it may be there too."""

    @property
    def known(self) -> bool:
        """Whether any host that answered knows the guest."""
        return bool(self.active_on or self.defined_on)


def guest_location(snapshot: Snapshot, name: str) -> GuestLocation:
    """Where one guest is."""
    active: list[str] = []
    defined: list[str] = []
    unknown: list[str] = []
    for host in snapshot.pair.hosts:
        libvirt = libvirt_of(snapshot, host)
        if isinstance(libvirt, Unknown):
            unknown.append(host)
        elif (domain := libvirt.domain(name)) is not None:
            active += [host] if domain.state.active else []
            defined += [host] if domain.persistent or not domain.state.active else []
    return GuestLocation(name, tuple(active), tuple(defined), tuple(unknown))


def guests(snapshot: Snapshot) -> tuple[GuestLocation, ...]:
    """Every guest any host that answered knows, by name."""
    views = (libvirt_of(snapshot, host) for host in snapshot.pair.hosts)
    names = {domain.name for view in views if not isinstance(view, Unknown) for domain in view.domains}
    return tuple(guest_location(snapshot, name) for name in sorted(names))


def libvirt_of(snapshot: Snapshot, host: str) -> LibvirtView | Unknown:
    """What libvirt on a host said; a host nobody asked is as unknown as one that did not answer."""
    view = snapshot.views.get(host)
    return Unknown(f"{host} was not asked") if view is None else view.libvirt

"""Whose resource a command of `drbdadm adjust` is about: of several moves at once, each opens a window of its own."""

from __future__ import annotations

from collections.abc import Iterable

from dualsrm.model import Resource

_OF_WINDOW = ("net-options", "disk-options")
"""What a window sets, and an adjust would take back."""


def besides(drift: Iterable[str], beside: Iterable[Resource]) -> tuple[str, ...]:
    """What is left without the commands that take back an option of these resources, for certain."""
    known = tuple(beside)
    return tuple(line for line in drift if not any(_takes_back(line, resource) for resource in known))


def _takes_back(line: str, resource: Resource) -> bool:
    """`drbdsetup VERB OBJECT...`: 8.4 names a minor or both addresses, 9 a minor or the resource."""
    words = line.split()
    if len(words) < 3 or words[1] not in _OF_WINDOW:  # noqa: PLR2004 - program, verb, object
        return False
    if words[2] == resource.name:
        return True
    if words[1] == "disk-options":
        return words[2] in {str(volume.minor) for volume in resource.volumes}
    ends = resource.connection.endpoints if resource.connection else None
    return ends is not None and tuple(word.partition(":")[2] for word in words[2:4]) == ends

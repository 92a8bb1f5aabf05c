"""The verbs of settling a split brain: what is done and what is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dualsrm.model import Generation


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Keep what a logical volume holds now."""

    host: str
    group: str
    origin: str
    name: str
    size_bytes: int
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        tags = "".join(f" --addtag {tag}" for tag in self.tags)
        return f"on {self.host}: lvcreate -s -L {self.size_bytes}b -n {self.name}{tags} {self.group}/{self.origin}"


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Have one side give up its peer."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"disconnect {self.resource} on {self.host}"


@dataclass(frozen=True, slots=True)
class Connect:
    """Have one side seek its peer; with `discard`, and discard its own writes for the peer's."""

    host: str
    resource: str
    discard: bool = False

    def __str__(self) -> str:
        return f"connect {self.resource} on {self.host}" + (", discarding its data" if self.discard else "")


SplitCommand: TypeAlias = TakeSnapshot | Disconnect | Connect


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """The snapshot is there and can be read."""

    host: str
    group: str
    origin: str
    name: str

    def __str__(self) -> str:
        return f"{self.group}/{self.name} on {self.host} is a snapshot of {self.origin}"


@dataclass(frozen=True, slots=True)
class DataIs:
    """The generation of every volume on this host is this one: it has that data, or begins from it."""

    host: str
    resource: str
    data: tuple[Generation, ...]

    def __str__(self) -> str:
        shown = ", ".join(f"{one.current & ~1:016X}" for one in self.data)
        return f"the generation of {self.resource} on {self.host} is {shown}"


@dataclass(frozen=True, slots=True)
class StandsAlone:
    """This side seeks no peer."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} on {self.host} is StandAlone"


@dataclass(frozen=True, slots=True)
class Seeks:
    """This side seeks its peer, or has it."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} on {self.host} is Connecting or Connected"


@dataclass(frozen=True, slots=True)
class Follows:
    """The resync of every volume runs onto this host, or has ended."""

    host: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} is resynced onto {self.host}"


@dataclass(frozen=True, slots=True)
class Target:
    """Whether any volume of this host is, or was, resynced onto: its disk changes or is not whole."""

    host: str
    resource: str
    wanted: bool

    def __str__(self) -> str:
        return f"{self.resource} on {self.host} is {'' if self.wanted else 'not '}the target of a resync"


SplitOnDrbd: TypeAlias = StandsAlone | Seeks | Follows | Target
SplitCondition: TypeAlias = SplitOnDrbd | SnapshotTaken | DataIs

"""What a fact is: observed, or unknown with a reason; a word, or one nobody has heard of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact nobody could observe, and why not (a sentence for a person)."""

    why: str
    fix: str = ""
    """The command that makes it observable, when the fault itself named one (a changed host key does)."""


Maybe: TypeAlias = T | Unknown


class OpenStrEnum(StrEnum):
    """A string enum that keeps words it does not know.

    A new kernel may print a state this release has never heard of. Dropping the line would freeze the old value
    (as drbd-reactor does); raising would take the whole view down. The word is kept as it is and `known` is False, so
    that no check can mistake it for a good state.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = "OTHER"
        member._value_ = value
        return member

    @property
    def known(self) -> bool:
        """Whether this release knows the word."""
        return self._name_ != "OTHER"

"""What checks say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How a check ended. `UNKNOWN` blocks as much as `FAILED` does: unknown is never reported as fine."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def blocks(self) -> bool:
        """Whether a move must not start."""
        return self in (Severity.FAILED, Severity.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: seen, why it matters, the exact command that fixes it."""

    check: str
    """Stable identifier, e.g. `replication-established`."""
    severity: Severity
    subject: str
    """What it is about: a host, a resource, a guest."""
    seen: str
    why: str = ""
    fix: str = ""

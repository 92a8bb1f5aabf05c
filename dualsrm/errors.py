"""The error tree. Each reaches the user as what was seen, why it matters and the command that fixes it.

Exit codes are part of the interface (docs/exit-codes.md): scripts branch on them, so none changes its meaning.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every dualsrm command."""

    OK = 0
    REFUSED = 1
    """A check did not pass, or a move was refused; nothing was touched."""
    USAGE = 2
    """Wrong command line or configuration; nothing was touched."""
    ROLLED_BACK = 3
    """The move failed; the guest runs at the source and the window is closed, both verified."""
    NEEDS_ATTENTION = 4
    """Something is left to do by hand; the message names it."""
    IN_DOUBT = 5
    """Where the guest is, or whether it runs, could not be established; nothing more was touched."""
    UNREACHABLE = 6
    """A host did not answer, or not in time; no guest and no resource was touched."""
    INTERNAL = 70
    """A fault of dualsrm itself."""


class DualsrmError(Exception):
    """Base of every foreseeable fault: what was seen, why it matters, how to fix it."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, seen: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        self.why = why
        self.fix = fix


class ConfigError(DualsrmError):
    """The configuration file cannot be used."""

    exit_code = ExitCode.USAGE


class UsageError(DualsrmError):
    """The command names something that does not exist or cannot be meant."""

    exit_code = ExitCode.USAGE


class Refused(DualsrmError):
    """The operation was not started; nothing was touched."""

    exit_code = ExitCode.REFUSED


class HostUnreachable(DualsrmError):
    """A host could not be asked: no connection, a changed host key, no permission."""

    exit_code = ExitCode.UNREACHABLE


class DeadlineExceeded(HostUnreachable):
    """A call outside did not answer in time. Whether it took effect is unknown."""


class CommandFailed(DualsrmError):
    """A command on a host, or a libvirt call, answered with an error."""

    exit_code = ExitCode.NEEDS_ATTENTION


class DeviceHeldOpen(CommandFailed):
    """DRBD refused to demote because something holds the device open (error -12)."""

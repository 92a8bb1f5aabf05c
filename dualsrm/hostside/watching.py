"""What a guard sees go wrong while memory is copied. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dualsrm.hosts.drbd import Shown
from dualsrm.model import IN_WINDOW, Resource, Role, Window
from dualsrm.replication import connected, replication_differs


class Watch:
    """One window's resources: states from the event stream, options from `drbdsetup show`.

    The guard starts before the options are set. An `adjust` by anybody takes them back: what was seen in its window
    setting once, and everything as soon as both sides were seen Primary, has to stay so.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._opened: set[tuple[str, str]] = set()
        self._both_primary: set[str] = set()
        self._options: Mapping[str, Shown] = {}

    def see_options(self, shown: Mapping[str, Shown]) -> None:
        """A fresh look at the options in force."""
        self._options = shown
        for resource, option, in_window in self._settings():
            if in_window or resource in self._both_primary:
                self._opened.add((resource, option))

    def differs(self, resources: Sequence[Resource]) -> tuple[str, bool]:
        """What goes wrong, or an empty string; and whether it is the replication link, which the hosts settle alone."""
        by_name = {resource.name: resource for resource in resources}
        other = ""
        for name in self._window.resources:
            found = by_name.get(name)
            if found is None:
                return f"{name} is not up", False
            if found.role == Role.PRIMARY and found.connection and found.connection.peer_role == Role.PRIMARY:
                self._both_primary.add(name)
            seen = replication_differs(found)
            if seen and (not connected(found) or found.suspended):
                return seen, True
            other = other or seen
        return other or self._taken_back(), False

    def _taken_back(self) -> str:
        """An option that was set for the window and is not any more."""
        lost = [
            f"{option} of {resource} was changed by someone"
            for resource, option, in_window in self._settings()
            if not in_window and (resource, option) in self._opened
        ]
        return "; ".join(lost)

    def _settings(self) -> list[tuple[str, str, bool]]:
        """Resource, option, and whether it has its window setting. Nothing for a resource that is not shown."""
        found = []
        for name in self._window.resources:
            if (shown := self._options.get(name)) is not None:
                found.append((name, "allow-two-primaries", shown.options.allow_two_primaries))
                found.append((name, "fencing", shown.options.fencing == IN_WINDOW))
        return found

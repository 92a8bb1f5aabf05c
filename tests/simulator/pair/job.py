"""`MigrationJob` on the simulated pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dualsrm.engine.ports import JobEnded, JobProgress
from dualsrm.errors import CommandFailed, HostUnreachable
from tests.simulator.pair.faults import Method
from tests.simulator.pair.migration import Migration

if TYPE_CHECKING:
    from tests.simulator.pair.port import SimHostPort


class SimJob:
    """`MigrationJob`: looks at a migration that goes on by itself; without one, at a lie that says it ended well."""

    def __init__(self, port: SimHostPort, guest: str, migration: Migration | None) -> None:
        self._port = port
        self._guest = guest
        self._migration = migration

    def poll(self) -> JobProgress | JobEnded | None:
        """Progress, the end, or None when libvirt cannot be asked: a poll raises nothing, only the manager dies."""
        try:
            return self._port.call("job_poll", self._guest, self._look, lie=lambda: JobEnded(None, None))
        except (HostUnreachable, CommandFailed):
            return None

    def _look(self) -> JobProgress | JobEnded | None:
        if self._migration is None:
            return JobEnded(None, None)
        return self._migration.ended or self._migration.progress()

    def abort(self) -> None:
        """virDomainAbortJob; blocks while the source's I/O stands frozen."""
        self._tell("job_abort", "", Migration.abort)

    def set_downtime(self, seconds: float) -> None:
        """virDomainMigrateSetMaxDowntime."""
        self._tell("job_downtime", f"{seconds:g}", lambda migration: migration.allow_downtime(seconds))

    def start_post_copy(self) -> None:
        """virDomainMigrateStartPostCopy."""
        self._tell("job_post_copy", "", Migration.start_post_copy)

    def suspend(self) -> None:
        """virDomainSuspend: the guest stands still until its memory is copied."""
        self._tell("job_suspend", "", Migration.suspend)

    def _tell(self, method: Method, detail: str, order: Callable[[Migration], None]) -> None:
        def tell() -> None:
            self._port.blocks_while_frozen(self._guest)
            if self._migration is not None:
                order(self._migration)

        self._port.call(method, self._guest, tell, detail=detail, lie=lambda: None)

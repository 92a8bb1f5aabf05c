"""A peer-to-peer live migration on the virtual clock: start-up, copy, hand-over, end, and the ways it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from dualsrm.engine.ports import JobEnded, JobProgress
from tests.simulator.pair.drbd import KernelRefused

if TYPE_CHECKING:
    from tests.simulator.pair.qemu import SimLibvirt

_WHERE_TO_LOOK = "see why in libvirt's journal and QEMU's log"


class LibvirtRefused(Exception):
    """libvirt said no."""


class Phase(Enum):
    """Where a migration is. Each names what may come next."""

    STARTING = "starting"  # -> PREPARED, ENDED
    PREPARED = "prepared"  # the target's QEMU exists and holds its disks open -> COPYING, ENDED
    COPYING = "copying"  # -> HANDOVER, ENDED
    HANDOVER = "handover"  # both stand still -> SWITCHED, ENDED
    SWITCHED = "switched"  # the target runs -> ENDED
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Script:
    """How migrations go: durations on the virtual clock, and what goes wrong.

    Defaults follow design section 3: most of the time is start-up on the target, and the source's QEMU exits late.
    """

    startup_s: float = 2.0
    copy_s: float = 6.0
    handover_s: float = 0.3
    finish_s: float = 0.3
    source_exit_delay_s: float = 0.5
    fail_at: Phase | None = None
    """Fail on entering that phase (COPYING: half way through it); HANDOVER: both stood still, the source resumes."""
    leftover_on_target: bool = False
    """A failed migration leaves the target's QEMU paused behind (F06)."""
    stuck_in_handover: bool = False
    """Both stay paused and the call comes back with an error: (paused, paused), no job."""
    error_although_moved: bool = False
    """The call returns an error though the guest runs on the target (F13)."""
    success_although_failed: bool = False
    """The call returns success though the guest stayed."""
    source_left_paused: bool = False
    """The guest runs on the target, the source's paused half is never cleaned up (F11)."""
    never_converges: bool = False
    """Memory is dirtied faster than copied: copying never ends by itself (F04)."""
    converges_at_downtime_s: float | None = None
    """With `never_converges`: it ends all the same once a pause of so many seconds is allowed."""
    path_loss_s: float = 0.5
    """From the loss of the migration network to libvirt's noticing it (its keepalive takes up to 30 s)."""


class Migration:
    """One migration on the virtual clock: start-up, copy, hand-over, end."""

    def __init__(self, libvirt: SimLibvirt, guest: str, source: str, target: str, script: Script) -> None:
        self.libvirt = libvirt
        self.guest, self.source, self.target = guest, source, target
        self.script = script
        self.phase = Phase.STARTING
        self.ended: JobEnded | None = None
        self.copy_began = 0.0
        self.stopped = False
        """The source's virtual CPUs stand still: to hand over, or because the schedule said so."""
        self.copied = False
        self.post_copy = False
        self.failed: str | None = None
        """Why it fails, once the source's I/O lets QEMU say so."""

    def begin(self) -> None:
        """Refuse what libvirt refuses at once, else start up on the target."""
        if why := self._refusal():
            self.ended, self.phase = JobEnded(why, None, _WHERE_TO_LOOK), Phase.ENDED
            return
        self._job(active=True)
        self._next(self.script.startup_s / 2, self._prepare)

    def _refusal(self) -> str | None:
        """What the migration call is refused for before anything happens."""
        source = self.libvirt.records.get((self.source, self.guest))
        target = self.libvirt.records.get((self.target, self.guest))
        if source is None:
            return f"Domain not found: no domain with matching name '{self.guest}'"
        if not source.state.active:
            return "Requested operation is not valid: domain is not running"
        if source.job_active:
            return "Timed out during operation: cannot acquire state change lock (held by another job)"
        if target is not None and target.state.active:
            return f"Requested operation is not valid: domain '{self.guest}' is already active"
        if not self.libvirt.path_up(self.source, self.target):
            return f"unable to connect to server at '{self.target}': Connection timed out"
        return None

    def _next(self, seconds: float, step: Callable[[], None]) -> None:
        """Take the next step later, unless the migration ended meanwhile."""

        def fire() -> None:
            if self.phase is not Phase.ENDED:
                step()

        self.libvirt.clock.after(seconds, fire)

    def _prepare(self) -> None:
        """libvirt on the target starts the incoming QEMU, which opens its disks for writing."""
        if self.script.fail_at is Phase.PREPARED:
            self._fail("internal error: process exited while connecting to monitor")
            return
        try:
            self.libvirt.spawn(self.guest, self.target, incoming=True)
        except KernelRefused as refused:
            self._fail(f"internal error: qemu unexpectedly closed the monitor: {refused}")
            return
        self.phase = Phase.PREPARED
        self.libvirt.pause(self.guest, self.target, "migration")
        self._job(active=True)
        self._next(self.script.startup_s / 2, self._copy)

    def _copy(self) -> None:
        self.phase = Phase.COPYING
        self.copy_began = self.libvirt.clock.monotonic()
        self.libvirt.note(f"copying the memory of {self.guest}")
        if self.script.fail_at is Phase.COPYING:
            self._next(self.script.copy_s / 2, lambda: self._fail("operation failed: job failed unexpectedly"))
        elif not self.script.never_converges:
            self._next(self.script.copy_s, self._all_copied)

    def _all_copied(self) -> None:
        """Memory fits into a pause: QEMU stops the virtual CPUs and drains."""
        if self.phase is Phase.COPYING and not self.copied:
            self.copied = True
            self._hand_over()

    def _hand_over(self) -> None:
        """The source stops and drains; it cannot while its I/O stands frozen (design, section 3, point 2)."""
        if self.failed is not None:
            return
        self.libvirt.stand_still(self.guest, self.source)
        self.stopped = True
        if self.libvirt.busy(self.source, self.guest):
            self._next(0.5, self._hand_over)
            return
        self.phase = Phase.HANDOVER
        self.libvirt.pause(self.guest, self.source, "migration")
        if self.script.stuck_in_handover:
            self._next(self.script.handover_s, lambda: self._end("operation failed: migration job: is not active"))
        elif self.script.fail_at is Phase.HANDOVER:
            self._next(self.script.handover_s, lambda: self._fail("operation failed: migration stream broke"))
        else:
            self._next(self.script.handover_s, self._switch)

    def _switch(self) -> None:
        """The guest runs on the target: from here on it is the target's."""
        self.phase = Phase.SWITCHED
        self.libvirt.note(f"{self.guest} is handed over")
        self.libvirt.run(self.guest, self.target, "post-copy" if self.post_copy else "migrated")
        if self.post_copy:
            self.libvirt.pause(self.guest, self.source, "post-copy")
        self._next(self.script.copy_s if self.post_copy else self.script.finish_s, self._finish)

    def _finish(self) -> None:
        if not self.script.source_left_paused:
            delay = self.script.source_exit_delay_s
            self.libvirt.inactive(self.guest, self.source, "migrated", exits_after=delay)
        lied = self.script.error_although_moved or self.script.source_left_paused
        self._end("internal error: client socket is closed" if lied else None)

    def _fail(self, why: str) -> None:
        """Before the hand-over is complete: the target's half goes, the source runs on once its I/O lets it."""
        if not self.script.leftover_on_target and self.libvirt.record(self.target, self.guest).state.active:
            self.libvirt.inactive(self.guest, self.target, "failed")
        self.failed = self.failed or why
        self._resume_source()

    def _resume_source(self) -> None:
        if self.stopped and self.libvirt.busy(self.source, self.guest):
            # QEMU's main loop waits in drain: it notices nothing until then.
            self._next(0.5, self._resume_source)
            return
        if self.stopped:
            self.libvirt.run(self.guest, self.source, "migration_canceled")
        self._end(None if self.script.success_although_failed else self.failed)

    def _end(self, error: str | None) -> None:
        statistics = replace(self.progress(), downtime_s=self.script.handover_s) if error is None else None
        self.phase, self.ended = Phase.ENDED, JobEnded(error, statistics, _WHERE_TO_LOOK if error else "")
        self._job(active=False)
        self.libvirt.note(f"migration call of {self.guest} returns: {error or 'success'}")

    def _job(self, *, active: bool) -> None:
        for host in (self.source, self.target):
            record = self.libvirt.records.get((host, self.guest))
            if record is not None:
                record.job_active = active and record.state.active

    def abort(self) -> None:
        """virDomainAbortJob: cancels what was not handed over; later there is no job to abort."""
        if self.phase in (Phase.HANDOVER, Phase.SWITCHED):
            if self.post_copy:
                raise LibvirtRefused("Requested operation is not valid: cannot abort migration in post-copy mode")
            return
        if self.phase is Phase.ENDED:
            raise LibvirtRefused("Requested operation is not valid: no job is active on the domain")
        self._next(0.2, lambda: self._cancel("operation aborted: migration out job: canceled by client"))

    def _cancel(self, why: str) -> None:
        if self.phase not in (Phase.HANDOVER, Phase.SWITCHED) and self.failed is None:
            self._fail(why)

    def allow_downtime(self, seconds: float) -> None:
        """A longer pause may be what it needs."""
        self._must_copy()
        enough = self.script.converges_at_downtime_s
        if enough is not None and seconds >= enough:
            self._next(0.5, self._all_copied)

    def start_post_copy(self) -> None:
        """The guest goes over now; what is left of its memory follows."""
        self._must_copy()
        self.post_copy = True
        self._all_copied()

    def suspend(self) -> None:
        """The guest stands still: nothing is dirtied any more, so the copy ends; libvirt lets it run afterwards."""
        self._must_copy()
        self.libvirt.pause(self.guest, self.source, "user")
        self.stopped = True
        self._next(self.script.copy_s / 2, self._all_copied)

    def _must_copy(self) -> None:
        if self.phase is not Phase.COPYING or self.failed is not None:
            raise LibvirtRefused("Requested operation is not valid: no migration is copying memory")

    def lost_path(self) -> None:
        """The migration network broke: before the hand-over the move is off, after it nothing is left to send."""
        if self.phase is not Phase.ENDED and (self.phase is not Phase.SWITCHED or self.post_copy):
            self._next(self.script.path_loss_s, self._path_is_lost)

    def _path_is_lost(self) -> None:
        handed_over_meanwhile = self.phase is Phase.SWITCHED and not self.post_copy
        if self.libvirt.path_up(self.source, self.target) or handed_over_meanwhile:
            return
        if self.phase is Phase.SWITCHED:
            # Neither side has all of its memory: that is what post-copy risks.
            for host in (self.source, self.target):
                self.libvirt.pause(self.guest, host, "post-copy failed")
            self._end("operation failed: job failed unexpectedly")
        else:
            self._cancel("operation failed: migration stream broke")

    def lost_incoming(self) -> None:
        """The target's libvirtd restarted: it ends an incoming QEMU it finds; a guest that arrived stays."""
        if self.phase is not Phase.SWITCHED and self.failed is None:
            self.failed = "operation failed: migration stream broke"
            self._resume_source()

    def daemon_back(self) -> None:
        """It finds a QEMU that waits for a guest nobody sends any more, and ends it."""
        incoming = self.libvirt.qemu(self.target, self.guest)
        if self.phase is not Phase.SWITCHED and self.failed is not None and incoming is not None and incoming.incoming:
            self.libvirt.inactive(self.guest, self.target, "failed")

    def lost_driver(self) -> None:
        """The source's libvirtd restarted: it cancels what it was sending, and leaves what was handed over paused."""
        if self.phase is Phase.SWITCHED:
            self._end("End of file while reading data: Input/output error")
        elif self.failed is None:
            self._fail("End of file while reading data: Input/output error")

    def lost_a_half(self, host: str) -> None:
        """One of the two QEMUs is gone, or its host."""
        if self.phase is Phase.ENDED:
            return
        if self.phase is Phase.SWITCHED:
            if host == self.target:
                self.libvirt.inactive(self.guest, self.source, "migrated")
            self._end("internal error: client socket is closed" if host == self.source else None)
        elif host == self.source:
            self.libvirt.inactive(self.guest, self.target, "failed")
            self._end(f"operation failed: lost {self.guest} on {host}")
        elif self.failed is None:
            self._fail(f"operation failed: lost {self.guest} on {host}")

    def progress(self) -> JobProgress:
        """libvirt's statistics now."""
        total = self.libvirt.guests[self.guest].memory_bytes
        if self.phase in (Phase.STARTING, Phase.PREPARED):
            return JobProgress(memory_total=total)
        elapsed = self.libvirt.clock.monotonic() - self.copy_began
        share = elapsed / self.script.copy_s
        remaining = int(total * (0.1 if self.script.never_converges else 1) * max(0.0, 1 - min(share, 1)))
        if self.script.never_converges:
            remaining = max(remaining, total // 10)
        return JobProgress(
            memory_total=total,
            memory_processed=int(total * share),
            memory_remaining=remaining,
            dirty_rate_bytes_per_second=total // 20,
            iteration=1 + int(share),
            downtime_s=self.script.handover_s,
        )

"""The pair's lock on a host: a small JSON file in /run, made exclusively; a reboot frees it.

What another manager, another release or anybody with root on the host wrote there is read as hostile text.
"""

from __future__ import annotations

import json
from shlex import quote as shell_quote
from typing import Final
from urllib.parse import quote

from dualsrm.errors import CommandFailed
from dualsrm.hosts.deadlines import LOCK_S
from dualsrm.hosts.scripts import script_argv
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hosts.text import clean
from dualsrm.model import LockHolder, Maybe, Unknown

DIRECTORY: Final = "/run/dualsrm"
_TEXT_LIMIT: Final = 4096
_FIELD_LIMIT: Final = 200


class HostLocks:
    """The locks of one host."""

    def __init__(self, ssh: SshConnection, directory: str = DIRECTORY) -> None:
        self._ssh = ssh
        self._directory = directory
        self._taken: dict[str, LockHolder] = {}

    def take(self, pair: str, holder: LockHolder) -> Maybe[LockHolder] | None:
        """None when taken; otherwise who holds it, or Unknown when the file does not tell."""
        word, text = self._ask("take", pair, lock_text(holder))
        if word == "taken":
            self._taken[pair] = holder
            return None
        if word == "held":
            return self._held(pair, text)
        raise self._strange("take", pair, word)

    def holder(self, pair: str) -> Maybe[LockHolder | None]:
        """Who holds it: None when it is free."""
        word, text = self._ask("read", pair)
        if word == "held":
            return self._held(pair, text)
        if word == "free":
            return None
        raise self._strange("read", pair, word)

    def drop(self, pair: str, operation: str) -> None:
        """Release it if that operation holds it. A lock another holds, and a free one, are left as they are."""
        taken = self._taken.get(pair)
        if taken is not None and taken.operation == operation:
            del self._taken[pair]
            word, _ = self._ask("drop", pair, lock_text(taken))
            if word == "dropped":
                return
        word, text = self._ask("read", pair)
        holder = parse_lock(text) if word == "held" else None
        if isinstance(holder, LockHolder) and holder.operation == operation:
            # The line as read goes along: should another have taken the lock meanwhile, it is not removed.
            word, _ = self._ask("drop", pair, text.removesuffix("\n"))
        if word not in ("free", "held", "dropped"):
            raise self._strange("drop", pair, word)

    def path(self, pair: str) -> str:
        """Where the lock lies. The name is quoted so that it can name nothing else."""
        return f"{self._directory}/lock-{quote(pair, safe='')}.json"

    def _held(self, pair: str, text: str) -> Maybe[LockHolder]:
        """A lock that names no operation can be released by none, `recover --take-over` included: a person has to."""
        holder = parse_lock(text)
        if isinstance(holder, LockHolder):
            return holder
        host = self._ssh.host.name
        fix = f"when certainly no manager works on {clean(pair, 80)}: on {host}, rm {shell_quote(self.path(pair))}"
        return Unknown(holder.why, fix)

    def _ask(self, act: str, pair: str, *content: str) -> tuple[str, str]:
        done = self._ssh.run(script_argv("lock", act, self.path(pair), *content), deadline_s=LOCK_S)
        word, _, text = done.stdout.partition("\n")
        return (word, text) if done.exit == 0 else (f"exit {done.exit}: {clean(done.stderr)}", "")

    def _strange(self, act: str, pair: str, word: str) -> CommandFailed:
        return CommandFailed(
            f"the lock {self.path(pair)} on {self._ssh.host.name} could not be asked ({act}): {clean(word)}",
            why="without the lock two operations could work on one pair at once",
            fix=f"look at {self._directory} and the free space of /run on {self._ssh.host.name}",
        )


def lock_text(holder: LockHolder) -> str:
    """The lock's content: one line of JSON, ASCII only."""
    return json.dumps({"operation": holder.operation, "manager": holder.manager, "since": holder.since})


def parse_lock(text: str) -> Maybe[LockHolder]:
    """The holder a lock's content names, or Unknown: it is held all the same."""
    if len(text) > _TEXT_LIMIT:
        return Unknown("the lock is held, by a file too long to be ours")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return Unknown(f"the lock is held, by a file that is not ours: {clean(text, 80)!r}")
    fields = ("operation", "manager", "since")
    if not isinstance(content, dict) or not all(isinstance(content.get(name), str) for name in fields):
        return Unknown(f"the lock is held, by a file that is not ours: {clean(text, 80)!r}")
    operation, manager, since = (clean(content[name], _FIELD_LIMIT) for name in fields)
    return LockHolder(operation, manager, since)

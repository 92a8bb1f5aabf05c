"""What the lab says when it cannot go on."""

from __future__ import annotations


class LabError(Exception):
    """A refusal or failure in three parts: what was seen, why it matters, the command that fixes it."""

    def __init__(self, seen: str, why: str, fix: str) -> None:
        super().__init__(f"{seen}\n  why it matters: {why}\n  fix: {fix}")
        self.seen = seen

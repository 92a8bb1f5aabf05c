"""`drbdadm get-gi`: one line a volume, `CURRENT:BITMAP:HISTORY:HISTORY:flag:...`, 8.4 and 9 alike but for the flags."""

from __future__ import annotations

import re
from typing import Final

from dualsrm.model import Generation

_LINE: Final = re.compile(r"((?:[0-9A-Fa-f]{16}:){3}[0-9A-Fa-f]{16})(?::[01]){3,20}", re.ASCII)


class GenerationError(ValueError):
    """No generation identifiers."""


def parse_generation(text: str, volume: int) -> Generation:
    """The identifiers of one volume; raises `GenerationError`. A pair has one peer, so there is one line."""
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise GenerationError(f"no generation identifiers: {text.strip()[:80]!r}")
    current, bitmap, *history = (int(word, 16) for word in found[1].split(":"))
    return Generation(volume, current, bitmap, tuple(history))

"""What a run of the program leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Ran:
    """What one run of the program left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output, which must be exactly one JSON document."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        assert value["format"] == 1
        return value


Program = Callable[..., Ran]

"""What every table of the file is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the file. Unknown keys are refused: a misspelt key silently ignored is a setting nobody has."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

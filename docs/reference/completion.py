"""Completion files for `dualsrm`: click's own, which ask the program itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from click.shell_completion import get_completion_class

from dualsrm.cli.main import cli

FILES: Final = {"bash": "dualsrm.bash", "zsh": "_dualsrm", "fish": "dualsrm.fish"}
"""By shell: the name its completion loader looks for; bash's is installed as `dualsrm`."""


def write(directory: Path) -> list[Path]:
    """One file for each shell."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for shell, name in FILES.items():
        completion = get_completion_class(shell)
        if completion is None:  # click dropped the shell
            raise LookupError(shell)
        path = directory / name
        path.write_text(completion(cli, {}, "dualsrm", "_DUALSRM_COMPLETE").source(), encoding="utf-8")
        written.append(path)
    return written

"""Chromium without a screen."""

from __future__ import annotations

import subprocess
from pathlib import Path

DEADLINE_S = 60


def browse(url: str, directory: Path, *how: str) -> str:
    """What Chromium says, its profile in that directory. Without a sandbox of its own: the tests run as root."""
    argv = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={directory / 'profile'}", *how]
    return subprocess.run([*argv, url], capture_output=True, text=True, check=True, timeout=DEADLINE_S).stdout


def picture(url: str, image: Path, *, size: str = "1000,1400") -> bytes:
    """What is to be seen, as a PNG, which stays there to be looked at."""
    browse(url, image.parent, f"--screenshot={image}", f"--window-size={size}")
    return image.read_bytes()

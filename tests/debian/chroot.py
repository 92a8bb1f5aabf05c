"""A bare Debian in a directory, and what is done in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from uml import apt

BOOTSTRAP_DEADLINE_S = 600
INSTALL_DEADLINE_S = 600
CALL_DEADLINE_S = 60
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


class Root:
    """Commands in it see its files, no network unless asked for, and no process of this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(
        self, *argv: str, network: bool = False, deadline: float = CALL_DEADLINE_S, ok: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one command; `ok`: it has to succeed."""
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.directory}/proc"]
        if not network:
            apart.append("--net")
        done = subprocess.run(
            [*apart, "chroot", str(self.directory), *argv],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline,
        )
        assert done.returncode == 0 or not ok, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def install(self, *packages: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """From the distribution, or a file by its path; what is only recommended is left out."""
        argv = ("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages)
        return self.run(*argv, network=True, deadline=INSTALL_DEADLINE_S, ok=ok)

    def take(self, file: Path) -> str:
        """Copy a file into it; its path there."""
        shutil.copy(file, self.directory / "srv")
        return f"/srv/{file.name}"

    def files_named(self, word: str) -> set[str]:
        """Paths with this word in them, logs, apt's own lists and root's home left out."""
        left_out = ("/srv", "/root", "/proc", "/var/log", "/var/cache", "/var/lib/apt")
        found = set()
        for directory, below, files in os.walk(self.directory):
            here = directory.removeprefix(str(self.directory))
            found |= {f"{here}/{name}" for name in (*below, *files) if word in f"{here}/{name}"}
        return {path for path in found if not path.startswith(left_out)}


def bootstrap(directory: Path) -> Root:
    """A Debian with apt, from this machine's own mirrors, whose services do not start."""
    root, sources, options = (directory / name for name in ("root", "sources.list", "apt.conf"))
    sources.write_text("\n".join(apt.sources()) + "\n")
    options.write_text("\n".join(apt.options()) + "\n")
    subprocess.run(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--format=directory"),
            *("--include=man-db,bash-completion,systemd", f"--aptopt={options}"),
            *(apt.RELEASE, str(root), str(sources)),
        ],
        check=True,
        timeout=BOOTSTRAP_DEADLINE_S,
    )
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    shutil.copy(options, root / "etc" / "apt" / "apt.conf.d" / "99fetch")
    (root / "usr" / "sbin" / "policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr" / "sbin" / "policy-rc.d").chmod(0o755)
    made = Root(root)
    made.run("apt-get", "update", "--quiet", network=True, deadline=INSTALL_DEADLINE_S)
    return made

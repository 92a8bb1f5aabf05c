"""The machine's own apt settings, for mmdebstrap: mirrors, proxies and keys are its owner's choice, not ours."""

from __future__ import annotations

from uml.errors import LabError
from uml.outside import run

RELEASE = "bookworm"
_FORMAT = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(ORIGIN)|$(COMPONENT)"
#: Of `apt-config dump`, what says how to fetch. Hooks and paths of this machine have no place in an image.
_FETCH = ("Acquire::http", "Acquire::https", "Acquire::ftp", "Acquire::Retries", "Acquire::ForceIP", "Acquire::Check")


def source_lines(targets: str) -> list[str]:
    """One-line sources for the parts of Debian's release this machine uses, from `apt-get indextargets` output."""
    lines = []
    for row in targets.splitlines():
        uri, release, codename, origin, component = row.split("|")
        if origin == "Debian" and codename.split("-")[0] == RELEASE:
            lines.append(f"deb {uri} {release} {component}")
    return lines


def fetch_options(dump: str) -> list[str]:
    """The lines of `apt-config dump` that say how to fetch."""
    return [line for line in dump.splitlines() if line.startswith(_FETCH) and not line.endswith(' "";')]


def sources() -> list[str]:
    """Ask apt for this machine's Debian sources; refresh its lists when they are not there yet."""
    argv = ["apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages"]
    lines = source_lines(run(argv, deadline=30).stdout)
    if not lines:
        run(["apt-get", "--quiet", "update"], deadline=300)
        lines = source_lines(run(argv, deadline=30).stdout)
    if not lines:
        raise LabError(
            f"apt on this machine has no source for Debian {RELEASE}",
            "the lab's nodes are built from its packages",
            f"add a source for {RELEASE} below /etc/apt/sources.list.d and run apt-get update",
        )
    return lines


def options() -> list[str]:
    """Proxies, certificates and retries as this machine's apt has them."""
    return fetch_options(run(["apt-config", "dump"], deadline=30).stdout)

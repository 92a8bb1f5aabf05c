"""docs/installing.md names everything that runs on a host."""

from __future__ import annotations

import re

from tests.unit.docs.pages import DOCS, REPOSITORY, rows, sections

HOSTS = REPOSITORY / "dualsrm" / "hosts"
TABLE = {name: commands for name, _, commands in rows(sections(DOCS / "installing.md")["What runs on the hosts"])}


def test_every_script_and_program_is_named() -> None:
    scripts = {path.name for path in (HOSTS / "scripts").glob("*.sh")}
    assert set(TABLE) == scripts | {"virsh", "drbdadm"}


def test_every_drbd_command_of_the_probe_is_named() -> None:
    run = re.findall(r"^ +section \w+ ((?:drbdsetup|drbdadm) .+)$", (HOSTS / "scripts" / "probe.sh").read_text(), re.M)
    assert len(run) == 4
    assert all(command in TABLE["probe.sh"] for command in run)


def test_every_change_of_drbd_is_named() -> None:
    verbs = re.findall(r"self\._run\(resource, \"([a-z-]+)\"", (HOSTS / "drbd_commands.py").read_text())
    assert set(re.findall(r"drbdadm ([a-z-]+)", TABLE["drbdadm"])) == set(verbs)

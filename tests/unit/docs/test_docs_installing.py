"""docs/installing.md names everything that runs on a host."""

from __future__ import annotations

import re

from dualsrm.hosts.drbd import Dialect, fencing_verb
from tests.unit.docs.pages import DOCS, REPOSITORY, rows, sections

HOSTS = REPOSITORY / "dualsrm" / "hosts"
TABLE = {name: commands for name, _, commands in rows(sections(DOCS / "installing.md")["What runs on the hosts"])}


def test_every_script_and_program_is_named() -> None:
    scripts = {path.name for path in (HOSTS / "scripts").glob("*.sh")}
    assert set(TABLE) == scripts | {"virsh", "drbdadm", "dualsrm-host", "lvs, lvcreate, lvremove", "mount"}


def test_every_drbd_command_of_the_probe_is_named() -> None:
    script = (HOSTS / "scripts" / "probe.sh").read_text()
    run = re.findall(r"(?:section \w+ |\$\()((?:drbdsetup|drbdadm) [^\n>]+?)(?= 2>|\n)", script)
    assert len(run) == 4
    assert all(command in TABLE["probe.sh"] for command in run)


def test_every_change_of_drbd_is_named() -> None:
    verbs = re.findall(r"self\._run\(resources, \"([a-z-]+)\"", (HOSTS / "drbd_commands.py").read_text())
    verbs += [fencing_verb(dialect) for dialect in Dialect]
    assert set(re.findall(r"drbdadm ([a-z-]+)", TABLE["drbdadm"])) == set(verbs)


def test_every_change_the_hosts_make_themselves_is_named() -> None:
    machine = (REPOSITORY / "dualsrm" / "hostside" / "machine.py").read_text()
    verbs = {
        *re.findall(r"local_drbd\.change\(\"([a-z-]+)\"", machine),
        *(fencing_verb(dialect) for dialect in Dialect),
    }
    assert set(re.findall(r"drbdadm ([a-z-]+)", TABLE["dualsrm-host"])) == verbs

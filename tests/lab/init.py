"""`dualsrm init` on real nodes (`tests/run init`): it alone leads to a configuration by which a guest is moved."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from tests.lab.handle import REPOSITORY, RESOURCES, LabHandle


def _with(lab: LabHandle, config: Path, *words: str) -> dict[str, Any]:
    """Run dualsrm with that file, where the lab's manager is; it has to end well."""
    program = str(REPOSITORY / ".venv" / "bin" / "dualsrm")
    done = lab.lab("exec", program, "--config", str(config), *words, "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_init_check_and_a_move_there_and_back(lab: LabHandle, tmp_path: Path) -> None:
    """Nothing is edited by hand. The lab has no certificates, so `tcp` is asked for, as init says."""
    wanted = tomllib.loads(lab.settings.read_text())
    hosts, ssh = wanted["hosts"], wanted["ssh"]
    fresh, before = tmp_path / "fresh.toml", lab.touched()
    keys = ("--identity", ssh["identity_file"], "--known-hosts", ssh["known_hosts"])
    more = ("--state", str(tmp_path / "state"), "--transport", "tcp", "--output", str(fresh))
    made = _with(lab, fresh, "init", *(host["address"] for host in hosts.values()), *keys, *more)
    assert made["ready"], made
    assert {guest["guest"]: set(guest["resources"]) for guest in made["guests"]} == {
        guest: set(resources) for guest, resources in RESOURCES.items()
    }
    assert lab.touched() == before
    chosen = tomllib.loads(fresh.read_text())["hosts"]
    assert {name: host["migration_address"] for name, host in chosen.items()} == {
        name: host["migration_address"] for name, host in hosts.items()
    }
    assert _with(lab, fresh, "check", "web")["ready"]
    source = lab.host_of("web")
    for target in (lab.other(source), source):
        assert _with(lab, fresh, "migrate", "web")["result"]["state"] == "moved"
        assert lab.host_of("web") == target
    assert lab.score()["web"]["lost"] == 0

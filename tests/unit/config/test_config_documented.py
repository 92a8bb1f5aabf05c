"""docs/configuration.md names every key of the schema, with its default, and nothing else."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from pydantic import BaseModel

from dualsrm.config import (
    Document,
    EvacuationSettings,
    FilesystemSection,
    GroupSection,
    GuestShutdownSection,
    HookSection,
    HostSection,
    MigrationSettings,
    PairSection,
    ReadySection,
    RehearsalSettings,
    ScheduleStep,
    ShutdownSettings,
    SshSettings,
    StateSettings,
    load,
)

DOCS = Path(__file__).parents[3] / "docs" / "configuration.md"
SECTIONS: dict[str, type[BaseModel]] = {
    "hosts.NAME": HostSection,
    "pairs.NAME": PairSection,
    "groups.NAME": GroupSection,
    "[groups.NAME.ready]": ReadySection,
    "[groups.NAME.hooks]": HookSection,
    "groups.NAME.shutdown.GUEST": GuestShutdownSection,
    "groups.NAME.filesystem": FilesystemSection,
    "ssh": SshSettings,
    "migration": MigrationSettings,
    "[migration.schedule]": ScheduleStep,
    "evacuation": EvacuationSettings,
    "shutdown": ShutdownSettings,
    "rehearsal": RehearsalSettings,
    "state": StateSettings,
}


def documented() -> dict[str, dict[str, str]]:
    """By section: key and what stands in the column of its default."""
    parts = re.split(r"^## `\[(.+)\]`$", DOCS.read_text(), flags=re.MULTILINE)[1:]
    row = re.compile(r"^\| `(\w+)` \| (.+?) \|", re.MULTILINE)
    return {name: dict(row.findall(text)) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def test_every_key_is_documented_and_no_other() -> None:
    assert {name: set(keys) for name, keys in documented().items()} == {
        name: set(section.model_fields) for name, section in SECTIONS.items()
    }
    assert {name.strip("[]").partition(".")[0] for name in SECTIONS} == set(Document.model_fields)


def test_defaults_are_the_documented_ones() -> None:
    for name, section in SECTIONS.items():
        for key, field in section.model_fields.items():
            said = documented()[name][key]
            if field.is_required():
                assert said == "required"
            elif key == "schedule":
                steps = tomllib.loads(f"steps = {said.strip('`')}")["steps"]
                assert tuple(ScheduleStep(**step) for step in steps) == field.default
            elif field.default_factory is not None:
                assert said in ("`{}`", f"`[{key}]`")
            elif field.default is not None:
                assert said == f"`{json.dumps(field.default)}`"


def test_the_schema_describes_itself() -> None:
    schema: list[type[BaseModel]] = [Document, *SECTIONS.values()]
    for section in schema:
        assert all(field.description for field in section.model_fields.values())


def test_the_examples_are_valid(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    file = tmp_path / "dualsrm.toml"
    file.write_text("\n".join(examples))
    file.chmod(0o600)
    settings = load(file)
    assert set(settings.hosts) == {"alpha", "beta"}
    assert [step.after_pass for step in settings.migration.schedule] == [4, 8]
    assert settings.groups["shop"].after == ("database",)

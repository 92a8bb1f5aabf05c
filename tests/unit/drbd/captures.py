"""The captures in tests/fixtures/drbd, by version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dualsrm.hosts.drbd import Dialect
from dualsrm.model import Resource

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drbd"


def capture(dialect: Dialect, name: str) -> str:
    """The text of one capture."""
    return (FIXTURES / dialect.value / name).read_text()


def names(pattern: str) -> list[tuple[Dialect, str]]:
    """All captures whose name matches, of both versions."""
    return [(dialect, path.name) for dialect in Dialect for path in sorted((FIXTURES / dialect.value).glob(pattern))]


def states(resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """The resources without statistics, which a stream does not keep current."""
    return tuple(_without_statistics(resource) for resource in resources)


def _without_statistics(resource: Resource) -> Resource:
    connection = resource.connection and replace(
        resource.connection,
        volumes=tuple(
            replace(volume, out_of_sync_bytes=None, done_ratio=None) for volume in resource.connection.volumes
        ),
    )
    volumes = tuple(replace(volume, size_bytes=None) for volume in resource.volumes)
    return replace(resource, volumes=volumes, connection=connection)

"""A server for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dualsrm.hosts.ssh import SshConnection
from tests.unit.hosts.sshd import Sshd, start, stop


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = start(tmp_path_factory.mktemp("sshd"))
    yield server
    stop(server)


@pytest.fixture
def ssh(sshd: Sshd) -> Iterator[SshConnection]:
    connection = SshConnection(sshd.host, sshd.settings)
    yield connection
    connection.close()

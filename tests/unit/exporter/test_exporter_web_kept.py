"""A connection outlives the settings it began with: what it may is what they allow now."""

from __future__ import annotations

import http.client
from pathlib import Path

import bcrypt
import pytest

from dualsrm_exporter.web import server as server_module
from tests.unit.exporter.serving import serving
from tests.unit.exporter.test_exporter_web import families
from tests.unit.exporter.test_exporter_web_config import HASH, USERS, basic, write
from tests.unit.hostside.host import eventually


def test_a_connection_that_is_kept_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_LOOK_AT_FILES_S", 0.05)
    with serving(families, write(tmp_path, USERS)) as running:
        kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        for _ in range(2):
            kept.request("GET", "/-/healthy", headers=basic("prometheus", "secret"))
            assert kept.getresponse().read() == b"dualsrm-exporter is healthy\n"
        other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
        write(tmp_path, USERS.replace(HASH, other))
        assert eventually(lambda: running.get(headers=basic("prometheus", "other")).status == 200)
        kept.request("GET", "/-/healthy", headers=basic("prometheus", "secret"))
        with pytest.raises(http.client.RemoteDisconnected):
            kept.getresponse()
        kept.close()

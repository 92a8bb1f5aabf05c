"""A real Prometheus on loopback that scrapes pages, until the test ends."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.unit.dashboards.estate import Target
from tests.unit.hostside.host import eventually

_READY_S = 60.0
_ANSWER_S = 10.0


@dataclass(frozen=True)
class Prometheus:
    """Its API."""

    port: int

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series of an instant query; raises what it says is wrong with it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_S)
        try:
            connection.request("GET", f"/api/v1/query?{urllib.parse.urlencode({'query': expr})}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if answer["status"] != "success":
            raise ValueError(f"{answer['error']}: {expr}")
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def has(self, expr: str) -> bool:
        """Whether it answers by now, and with something."""
        try:
            return bool(self.query(expr))
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return False


@contextmanager
def prometheus(directory: Path, targets: Sequence[Target]) -> Iterator[Prometheus]:
    """It has seen each page that changes, and one of our alerts fires."""
    with _pages(targets) as pages:
        config = directory / "prometheus.yml"
        config.write_text(json.dumps(_config(directory, targets, pages)))
        port = _free_port()
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            made = Prometheus(port)
            # increase() reaches half a scrape beyond its first and last sample: of 3 it makes 1.5 of 1, and rounds up.
            scraped = f'count(count_over_time(up{{job="dualsrm"}}[1m]) >= 6 and up == 1) == {len(targets)}'
            assert eventually(lambda: made.has(f"{scraped} and on () ALERTS"), within_s=_READY_S), (
                directory / "log"
            ).read_text()
            yield made
        finally:
            process.kill()
            process.wait(10)


def _config(directory: Path, targets: Sequence[Target], pages: int) -> dict[str, object]:
    rules = directory / "rules.yml"
    alert = {"alert": "DualsrmAlarm", "expr": "dualsrm_alarm_active == 1", "labels": {"severity": "critical"}}
    rules.write_text(json.dumps({"groups": [{"name": "one", "rules": [alert]}]}))
    static = [
        {
            "targets": [f"127.0.0.1:{pages}"],
            "labels": {"__metrics_path__": f"/{each.instance}", "instance": each.instance, "pair": each.pair},
        }
        for each in targets
    ]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "dualsrm", "honor_labels": True, "static_configs": static}],
    }


@contextmanager
def _pages(targets: Sequence[Target]) -> Iterator[int]:
    by_path = {f"/{each.instance}": each for each in targets}
    asked: Counter[str] = Counter()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            each = by_path[self.path]
            asked[self.path] += 1
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(each.first if asked[self.path] == 1 else each.later)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server calls it so
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])

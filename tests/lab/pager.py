"""Who is paged: a webhook for Alertmanager that writes down what reached it, one JSON line an alert.

`python -m tests.lab.pager ADDRESS:PORT FILE`, in the lab's network.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """One alert in one notification."""

    at: float
    """When it arrived, by `time.time`."""
    receiver: str
    alert: str
    firing: bool
    """False: it is resolved."""
    labels: dict[str, str]


def pages(file: Path) -> list[Page]:
    """All that arrived so far."""
    whole = file.read_text().rpartition("\n")[0] if file.exists() else ""
    return [Page(**json.loads(line)) for line in whole.splitlines()]


class _Webhook(BaseHTTPRequestHandler):
    """Alertmanager's webhook, version 4."""

    def __init__(self, file: Path, *arguments: Any) -> None:
        self._file = file
        super().__init__(*arguments)

    def do_POST(self) -> None:
        """Write down, then answer: what is answered is on record."""
        notification = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        now, receiver = time.time(), notification["receiver"]
        with self._file.open("a") as file:
            for one in notification["alerts"]:
                labels = one["labels"]
                line = {"at": now, "receiver": receiver, "alert": labels["alertname"], "labels": labels}
                file.write(json.dumps({**line, "firing": one["status"] == "firing"}) + "\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The file is the record."""


def main() -> None:
    """Serve until ended."""
    (address, _, port), file = sys.argv[1].partition(":"), Path(sys.argv[2])
    HTTPServer((address, int(port)), partial(_Webhook, file)).serve_forever()


if __name__ == "__main__":
    main()

"""A lab under watch, as docs/exporter.md and docs/alerts.md say: TLS on the nodes, Prometheus, Alertmanager, a pager.

The rules, the scrape job and the routes are those that are shipped; only names, addresses and paths are put in.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import trustme

from tests.lab.handle import HOSTS, REPOSITORY, LabHandle, wait_for
from tests.lab.pager import Page, pages
from tests.lab.scrapes import ADDRESSES

PROMETHEUS, ALERTMANAGER, PAGER = "127.0.0.1:9090", "127.0.0.1:9093", "127.0.0.1:9099"
MANAGER = "alpha"
"""Its journal is counted, and it looks for readiness."""
_CLIENT = "prometheus.example.org"
_WEB = f"""
tls_server_config:
  cert_file: exporter.pem
  key_file: exporter.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [{_CLIENT}]
basic_auth_users:
  prometheus: HASH
"""
_DROP_IN = """
[Service]
ExecStart=
ExecStart=/opt/dualsrm/bin/dualsrm-exporter --web.listen-address=:10184 --web.config.file=/etc/dualsrm/web.yml
"""
_DROP_IN_PATH = "/etc/systemd/system/dualsrm-exporter.service.d/tls.conf"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What is seen of the lab from outside."""

    lab: LabHandle
    record: Path
    """The pager's."""

    def pages(self, since: float = 0.0) -> list[Page]:
        """All that arrived since then, by `time.time`."""
        return [page for page in pages(self.record) if page.at >= since]

    def query(self, promql: str) -> list[dict[str, str]]:
        """What Prometheus has under it now: the labels of each series."""
        url = f"http://{PROMETHEUS}/api/v1/query"
        done = self.lab.lab("exec", "--", "curl", "-sS", "--max-time", "10", "--data-urlencode", f"query={promql}", url)
        return [one["metric"] for one in json.loads(done.stdout)["data"]["result"]]


@contextmanager
def monitored(lab: LabHandle, directory: Path) -> Iterator[Monitoring]:
    """All of it running, every target up; ended and taken back whatever happens."""
    authority, password = trustme.CA(), secrets.token_urlsafe()
    record = directory / "pages.jsonl"
    with ExitStack() as stack:
        for host in HOSTS:
            stack.enter_context(_over_tls(lab, host, authority, password))
        stack.enter_context(_readiness(lab))
        for argv in (
            [str(REPOSITORY / ".venv" / "bin" / "python"), "-m", "tests.lab.pager", PAGER, str(record)],
            _alertmanager(directory),
            _prometheus(directory, authority, password),
        ):
            stack.enter_context(lab.running(argv, directory / f"{Path(argv[0]).name}.log"))
        watch = Monitoring(lab, record)
        wait_for("Prometheus to see both hosts", lambda: len(_answered(watch, 'up{job="dualsrm"} == 1')) == len(HOSTS))
        wait_for("the manager's first look", lambda: bool(_answered(watch, "dualsrm_readiness_timestamp_seconds")), 300)
        yield watch


def _answered(watch: Monitoring, promql: str) -> list[dict[str, str]]:
    try:
        return watch.query(promql)
    except AssertionError:  # it does not listen yet
        return []


# --- the nodes ------------------------------------------------------------------------------------------


@contextmanager
def _over_tls(lab: LabHandle, host: str, authority: trustme.CA, password: str) -> Iterator[None]:
    """The exporter serves by TLS, to Prometheus' certificate and password only."""
    made = authority.issue_cert(ADDRESSES[host])
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode()
    lab.put(host, "/etc/dualsrm/ca.pem", authority.cert_pem.bytes().decode(), 0o644)
    lab.put(host, "/etc/dualsrm/exporter.pem", made.cert_chain_pems[0].bytes().decode(), 0o644)
    lab.put(host, "/etc/dualsrm/exporter.key", made.private_key_pem.bytes().decode(), 0o600)
    lab.put(host, "/etc/dualsrm/web.yml", _WEB.replace("HASH", hashed), 0o600)
    lab.put(host, _DROP_IN_PATH, _DROP_IN, 0o644)
    _restart(lab, host)
    try:
        yield
    finally:
        lab.node(host, "rm", "-f", _DROP_IN_PATH)
        _restart(lab, host)


def _restart(lab: LabHandle, host: str) -> None:
    lab.node(host, "sh", "-c", "systemctl daemon-reload && systemctl restart dualsrm-exporter")


@contextmanager
def _readiness(lab: LabHandle) -> Iterator[None]:
    """The timer, on the manager."""
    units = ("dualsrm-readiness.service", "dualsrm-readiness.timer")
    lab.node(MANAGER, "ln", "-sf", "/usr/local/bin/dualsrm", "/opt/dualsrm/bin/dualsrm")
    for unit in units:
        text = (REPOSITORY / "exporters" / "systemd" / unit).read_text()
        lab.put(MANAGER, f"/etc/systemd/system/{unit}", text, 0o644)
    lab.node(MANAGER, "sh", "-c", "systemctl daemon-reload && systemctl enable --now dualsrm-readiness.timer")
    lab.node(MANAGER, "systemctl", "start", "dualsrm-readiness.service")
    try:
        yield
    finally:
        lab.node(MANAGER, "systemctl", "disable", "--now", *units)


# --- Prometheus and Alertmanager ------------------------------------------------------------------------


def _prometheus(directory: Path, authority: trustme.CA, password: str) -> list[str]:
    text = (REPOSITORY / "exporters" / "prometheus" / "scrape.example.yml").read_text()
    third = "      - targets: [manager.example.org:10184]\n"
    assert third in text, "the example has changed"
    text = text.replace(third, "")
    for host, address in ADDRESSES.items():
        text = text.replace(f"{host}.example.org", address)
    text = text.replace("/etc/prometheus/dualsrm", str(directory)).replace("localhost:9093", ALERTMANAGER)
    rules = (REPOSITORY / "exporters" / "prometheus" / "dualsrm.rules.yml").read_text()
    made = authority.issue_cert(_CLIENT)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    made.cert_chain_pems[0].write_to_path(str(directory / "prometheus.pem"))
    for name, secret in (("prometheus.key", made.private_key_pem.bytes().decode()), ("password", password)):
        (directory / name).touch(0o600)
        (directory / name).write_text(secret)
    (directory / "prometheus.yml").write_text(text)
    (directory / "dualsrm.rules.yml").write_text(rules)
    return [
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address={PROMETHEUS}",
    ]


def _alertmanager(directory: Path) -> list[str]:
    text = (REPOSITORY / "exporters" / "alertmanager" / "alertmanager.example.yml").read_text()
    for address in ("pager.example.org/dualsrm", "tickets.example.org/dualsrm", "chat.example.org/dualsrm"):
        assert f"https://{address}" in text, "the example has changed"
        text = text.replace(f"https://{address}", f"http://{PAGER}")
    (directory / "alertmanager.yml").write_text(text)
    return [
        "prometheus-alertmanager",
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address={ALERTMANAGER}",
        "--cluster.listen-address=",
    ]

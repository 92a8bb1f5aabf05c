"""Serving: pages, formats, and clients that are slow, silent, many or hostile."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dualsrm_exporter.collected import Collected, Family
from dualsrm_exporter.drbd.collector import DrbdCollector
from dualsrm_exporter.metrics import ALL, guests, readiness
from dualsrm_exporter.operations.collector import OperationsCollector
from dualsrm_exporter.render import Page, render
from dualsrm_exporter.scraper import Scraper
from dualsrm_exporter.web.app import App
from dualsrm_exporter.web.connections import LIMIT, Connection, Connections, Phase
from dualsrm_exporter.web.http import Deadlines
from tests.unit.exporter.rig import FakeHost, dump_of
from tests.unit.exporter.serving import FAST, serving
from tests.unit.exporter.test_exporter_render import OPEN, one_of_each, openmetrics
from tests.unit.hostside.host import eventually, window


def families() -> tuple[Family, ...]:
    return tuple(one_of_each())


def test_the_three_pages() -> None:
    with serving(families) as running:
        metrics, front, healthy = (running.get(path) for path in ("/metrics", "/", "/-/healthy"))
    assert [metrics.status, front.status, healthy.status] == [200, 200, 200]
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b'dualsrm_drbd_role{dualsrm_drbd_role="Primary",resource="x"}' in metrics.body
    assert b"<h1>dualsrm on " in front.body
    assert front.headers["content-security-policy"].startswith("default-src 'none'")


def test_openmetrics_and_gzip_as_asked_for() -> None:
    with serving(families) as running:
        page = running.get("/metrics?x=y", {"Accept": OPEN, "Accept-Encoding": "gzip"})
        plain = running.get("/metrics", {"Accept": OPEN})
    assert page.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(page.body) == plain.body
    assert len(list(openmetrics(plain.body.decode()))) > 50


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metric", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/../etc/passwd", 404),
        ("HEAD", "/-/healthy", 200),
        ("POST", "/metrics", 405),
        ("DELETE", "/", 405),
        ("PROPFIND", "/", 405),
    ],
)
def test_other_requests(method: str, path: str, status: int) -> None:
    with serving(families) as running:
        reply = running.get(path, method=method)
    assert reply.status == status
    assert (reply.body == b"") is (method == "HEAD")


def test_a_request_with_a_body_is_answered_and_closed() -> None:
    """The body is not read: nobody sends us anything."""
    with serving(families) as running:
        assert running.get("/metrics", method="POST", body=b"x" * 1000).status == 405
        answer = running.say(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"rubbish\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000, b"431"),
        (b"GET /" + b"a" * 40_000, b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_request(data: bytes, status: bytes) -> None:
    with serving(families) as running:
        answer = running.say(data)
        assert answer == b"" or answer.split(b" ")[1] == status
        assert running.get().status == 200


def test_one_connection_can_ask_again_and_again() -> None:
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving(families) as running:
        answer = running.say(request * 3 + request.replace(b"Host", b"Connection: close\r\nHost"))
    assert answer.count(b"HTTP/1.1 200 OK") == 4


def test_hanging_connections_do_not_stop_a_scrape_nor_pile_up() -> None:
    with serving(families, deadlines=Deadlines()) as running:
        hanging = [running.connect() for _ in range(100)]
        for one in hanging[::2]:
            one.sendall(b"GET /metrics HTTP/1.1\r\nHo")
        hanging += [running.connect() for _ in range(100)]
        began = time.monotonic()
        assert running.get("/metrics").status == 200
        assert time.monotonic() - began < 5
        assert running.open_now() <= LIMIT
        assert len(hanging) > LIMIT
        for one in hanging:
            one.close()
        assert eventually(lambda: running.open_now() == 0)


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\n"])
def test_a_client_that_says_nothing_more_is_let_go(said: bytes) -> None:
    with serving(families, deadlines=Deadlines(first_s=0.3, head_s=0.3)) as running, running.connect() as silent:
        silent.sendall(said)
        assert silent.recv(100) == b""


def _is_closed_to(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except OSError:
        return True
    return False


def test_a_drip_of_bytes_does_not_buy_time() -> None:
    with serving(families, deadlines=Deadlines(first_s=0.3, head_s=0.5)) as running, running.connect() as slow:
        began = time.monotonic()
        assert eventually(lambda: _is_closed_to(slow, b"G"))
        assert time.monotonic() - began < 3


def test_a_reader_that_does_not_read_is_let_go() -> None:
    with serving(lambda: tuple(one_of_each("x" * 500)), deadlines=Deadlines(write_s=0.5)) as running:
        connection = running.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        assert eventually(lambda: running.open_now() == 1)
        assert eventually(lambda: running.open_now() == 0)
        connection.close()


def test_a_page_that_breaks_is_a_500_and_the_next_may_work() -> None:
    broken = [True]

    def scrape() -> tuple[Family, ...]:
        if broken.pop() if broken else False:
            raise RuntimeError("broken")
        return families()

    with serving(scrape) as running:
        assert running.get("/metrics").status == 500
        assert running.get("/metrics").status == 200


def test_pages_of_one_scrape_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = families()
    made: list[tuple[str, str]] = []

    def note(found: tuple[Family, ...], accept: str, encoding: str) -> Page:
        made.append((accept, encoding))
        return render(found, accept, encoding)

    monkeypatch.setattr("dualsrm_exporter.web.app.render", note)
    app = App(lambda: fixed)
    for accept in ("", OPEN, "", OPEN):
        app.respond("GET", "/metrics", {"accept": accept})
    assert made == [("", ""), (OPEN, "")]
    for number in range(100):
        app.respond("GET", "/metrics", {"accept": f"x/{number}"})
    assert len(app._pages) <= 4


# --- who has to go ----------------------------------------------------------------------------------------------------


class Gone:
    def __init__(self, registry: Connections, count: int, address: str = "a") -> None:
        self.gone: list[int] = []
        self.all = []
        for number in range(count):
            one = Connection(address, self._drop(number))
            assert registry.admit(one)
            self.all.append(one)

    def _drop(self, number: int) -> Callable[[], None]:
        return lambda: self.gone.append(number)


def test_the_longest_silent_goes_for_the_newest() -> None:
    registry = Connections(limit=3)
    first = Gone(registry, 3)
    registry.enter(first.all[0], Phase.WAITING)  # it has just asked for something
    Gone(registry, 1, "b")
    assert first.gone == [1]
    assert len(registry) == 3
    assert registry.dropped == 1


def test_of_the_address_that_has_most() -> None:
    registry = Connections(limit=4)
    lonely, crowd = Gone(registry, 1, "prometheus"), Gone(registry, 3, "crowd")
    Gone(registry, 3, "crowd")
    assert lonely.gone == []
    assert crowd.gone == [0, 1, 2]


def test_nobody_goes_while_it_is_being_answered() -> None:
    registry = Connections(limit=2)
    busy = Gone(registry, 2)
    for one in busy.all:
        registry.enter(one, Phase.ANSWERING)
    assert registry.admit(Connection("b", lambda: None)) is False
    registry.enter(busy.all[1], Phase.WRITING)
    assert registry.admit(Connection("b", lambda: None)) is True
    assert busy.gone == [1]


def test_only_so_many_slow_readers() -> None:
    registry = Connections(limit=10, writing_limit=2)
    readers = Gone(registry, 4)
    for one in readers.all:
        registry.enter(one, Phase.WRITING)
    assert readers.gone == [0, 1]


# --- the landing page -------------------------------------------------------------------------------------------------


def test_the_front_page_says_what_needs_looking_at(host84: FakeHost, tmp_path: Path) -> None:
    name = '<b>"x"&'
    host84.shows("12-dual-primary.node1")
    (host84.directory / "files").write_text(dump_of("vm1", "db", here="node1", peer="node2"))
    host84.host_files.raise_alarm("vm1", f"frozen {name}")
    host84.host_files.raise_alarm(name, "<script>alert(1)</script>")
    host84.host_files.leave(window("op1", "db"))
    scraper = Scraper((host84.collector(), OperationsCollector(tmp_path / "journal")))
    html = App(scraper.scrape).respond("GET", "/", {}).body.decode()
    for words in ("Primary on both sides", "two Primaries allowed at rest", "configured, but down", "a window is open"):
        assert words in html
    assert "alarm: frozen &lt;b&gt;&quot;x&quot;&amp;" in html
    assert "<script" not in html
    assert "<b>" not in html


def test_the_front_page_of_a_host_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "operations").write_text("in the way")
    drbd = DrbdCollector(tmp_path, run=tmp_path / "run", lasting=tmp_path, proc=tmp_path / "none", follow=False)
    html = App(Scraper((drbd, OperationsCollector(tmp_path))).scrape).respond("GET", "/", {}).body.decode()
    assert "The journal could not be read" in html
    assert "not loaded, or nothing could be read" in html
    assert "not journal" in html


def test_an_alarm_stands_on_the_front_page_without_drbd(host84: FakeHost, tmp_path: Path) -> None:
    host84.proc.unlink()
    host84.host_files.raise_alarm("vm1", "frozen")
    html = App(Scraper((host84.collector(),)).scrape).respond("GET", "/", {}).body.decode()
    assert "not loaded, or nothing could be read" in html
    assert "alarm: frozen" in html


def test_guests_stand_on_the_front_page_with_what_is_against_them() -> None:
    collected = Collected(ALL)
    collected.add_states(guests.STATE, ("paused",), "web <1>")
    collected.add(guests.IO_ERROR, 1, "web <1>")
    collected.add(guests.AUTOSTART, 0, "web <1>")
    collected.add_info(readiness.BLOCKER, {"severity": "failed"}, "lab", "mail", "failover", "disk-up-to-date")
    html = App(lambda: tuple(collected)).respond("GET", "/", {}).body.decode()
    web = "<tr><td>web &lt;1&gt;</td><td>paused</td>"
    assert f'{web}<td><div class="bad">its disk gave an I/O error</div></td></tr>' in html
    assert '<td>mail</td><td>not here</td><td><div class="bad">no failover: disk-up-to-date</div></td>' in html


def test_scrapes_at_once_are_all_answered() -> None:
    gate = threading.Event()

    def scrape() -> tuple[Family, ...]:
        gate.wait(5)
        return families()

    with serving(scrape, deadlines=FAST) as running:
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(running.get("/metrics").status)) for _ in range(12)]
        for thread in threads:
            thread.start()
        assert running.get("/-/healthy").status == 200  # while all who scrape wait
        gate.set()
        for thread in threads:
            thread.join(15)
    assert statuses == [200] * 12

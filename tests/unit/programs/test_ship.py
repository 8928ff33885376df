"""A host's journal at an endpoint: in the form that it takes, once, and again from where it stopped."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import ship
from samples.certificates import make

SETTINGS = {"cloud": "acme", "host": "ctl1", "ca": ""}
ENTRY = {
    "__REALTIME_TIMESTAMP": "1764400000123456",
    "__CURSOR": "s=1;i=7",
    "_SYSTEMD_UNIT": "keystone.service",
    "_PID": "421",
    "PRIORITY": "4",
    "MESSAGE": "first\nsecond",
}


class Taker(http.server.BaseHTTPRequestHandler):
    """Answers as `answers` says, in turn, and 204 afterwards."""

    answers: list[int]
    bodies: list[Any]
    tokens: list[str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status = self.answers.pop(0) if self.answers else 204
        if status == 204:
            self.bodies.append(body)
            self.tokens.append(self.headers.get("authorization", ""))
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def loki() -> Iterator[tuple[str, type[Taker]]]:
    taker = type("Taken", (Taker,), {"answers": [], "bodies": [], "tokens": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/loki/api/v1/push", taker
        server.shutdown()


def test_loki_gets_streams_by_unit_and_level_with_a_token(loki: tuple[str, type[Taker]]) -> None:
    url, taker = loki
    endpoint = ship.Loki({**SETTINGS, "to": url, "token": "t0k"})
    endpoint.send([ENTRY, {**ENTRY, "PRIORITY": "6"}, ENTRY])
    (body,) = taker.bodies
    assert [(s["stream"]["level"], len(s["values"])) for s in body["streams"]] == [("warning", 2), ("info", 1)]
    assert body["streams"][0]["stream"] == {"cloud": "acme", "host": "ctl1", "unit": "keystone", "level": "warning"}
    assert body["streams"][0]["values"][0] == ["1764400000123456000", "first\nsecond"]
    assert taker.tokens == ["Bearer t0k"]


def test_what_is_not_taken_now_is_sent_again_and_what_is_refused_is_not(loki: tuple[str, type[Taker]]) -> None:
    url, taker = loki
    said: list[str] = []
    slept: list[float] = []
    endpoint = ship.Loki({**SETTINGS, "to": url})
    taker.answers[:] = [503, 429, 204, 400]
    ship.deliver(endpoint, [ENTRY], said.append, slept.append)
    assert (len(taker.bodies), slept) == (1, [1.0, 2.0])
    assert said[0].startswith("the endpoint takes nothing") and said[1].startswith("the endpoint takes lines again")
    ship.deliver(endpoint, [ENTRY], said.append, slept.append)
    assert "refused: 400" in said[-1] and len(taker.bodies) == 1


def test_syslog_gets_each_message_with_its_length() -> None:
    with _listening() as (port, taken):
        endpoint = ship.Syslog({**SETTINGS, "to": f"tcp://127.0.0.1:{port}"})
        endpoint.send([ENTRY, {"MESSAGE": [104, 105, 255], "SYSLOG_IDENTIFIER": "a b", "PRIORITY": "9"}])
        endpoint.close()
    first, second = list(_frames(b"".join(taken)))
    assert first == "<28>1 2025-11-29T07:06:40.123456Z ctl1.acme keystone 421 - - first\nsecond"
    assert second.endswith("Z ctl1.acme ab - - - hi\N{REPLACEMENT CHARACTER}") and second.startswith("<30>1 ")


def test_syslog_connects_again_where_the_endpoint_went() -> None:
    with _listening() as (port, taken):
        endpoint = ship.Syslog({**SETTINGS, "to": f"tcp://127.0.0.1:{port}"})
        endpoint.send([ENTRY])
    with pytest.raises(OSError, match="refused"):
        endpoint.send([ENTRY])
    with _listening(port) as (_, again):
        endpoint.send([ENTRY])
        endpoint.close()
    assert len(list(_frames(b"".join(taken)))) == len(list(_frames(b"".join(again)))) == 1


def test_syslog_over_tls_checks_whom_it_speaks_to(tmp_path: Path) -> None:
    authority = make("an authority", ca=True)
    (tmp_path / "ca.pem").write_text(authority.pem)
    settings = {**SETTINGS, "ca": str(tmp_path / "ca.pem")}
    for name, known in (("localhost", True), ("elsewhere.example", False)):
        shown = make(name, authority)
        (tmp_path / "server.pem").write_bytes(shown.pem.encode() + shown.key())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        with _listening(context=context) as (port, taken):
            endpoint = ship.Syslog({**settings, "to": f"tls://localhost:{port}"})
            with nullcontext() if known else pytest.raises(ssl.SSLCertVerificationError):
                endpoint.send([ENTRY])
                endpoint.send([ENTRY])
            endpoint.close()
        assert len(list(_frames(b"".join(taken)))) == (2 if known else 0)


def test_batches_end_by_time_and_by_size() -> None:
    program = (
        "import json, sys, time\n"
        f"for n in range({ship.LINES + 3}): print(json.dumps({{'MESSAGE': str(n)}}))\n"
        "print('no JSON', flush=True); time.sleep(1.5); print(json.dumps({'MESSAGE': 'last'}))"
    )
    found = list(_batches(program))
    assert [len(batch) for batch in found][-1] == 1
    assert sum(map(len, found)) == ship.LINES + 4
    assert found[0][0]["MESSAGE"] == "0" and found[-1][0]["MESSAGE"] == "last"


def test_it_goes_on_from_the_last_line_that_was_taken(
    tmp_path: Path, loki: tuple[str, type[Taker]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, taker = loki
    (tmp_path / "settings").write_text(json.dumps({**SETTINGS, "to": url}))
    asked: list[str] = []
    began = ship.lines

    def journal(cursor: str, _journal: Sequence[str] = ()) -> Any:
        asked.append(cursor)
        return began(cursor, (sys.executable, "-c", f"print({json.dumps(json.dumps(ENTRY))})"))

    monkeypatch.setattr(ship, "lines", journal)
    for _ in range(2):
        assert ship.main(str(tmp_path / "settings"), str(tmp_path / "cursor")) == 1
    assert asked == ["", "s=1;i=7"]
    assert len(taker.bodies) == 2


def _batches(program: str) -> Iterator[list[ship.Entry]]:
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield from ship.batches(process.stdout)


@contextlib.contextmanager
def _listening(port: int = 0, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """What one connection says until it ends; nobody listens afterwards."""
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", port)) as server:

        def take() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(TimeoutError, ssl.SSLError):
                connection.settimeout(1.0)
                with context.wrap_socket(connection, server_side=True) if context else connection as heard:
                    while data := heard.recv(1 << 16):
                        taken.append(data)

        thread = threading.Thread(target=take)
        thread.start()
        yield server.getsockname()[1], taken
        thread.join()


def _frames(data: bytes) -> Iterator[str]:
    while data:
        length, _, rest = data.partition(b" ")
        yield rest[: int(length)].decode()
        data = rest[int(length) :]

"""Whether a broker works, asked of its management API: a message confirmed and given back."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import broker_health


class Api(http.server.BaseHTTPRequestHandler):
    """The part of it that is asked. `broken`: a path's end -> what it is answered with."""

    queue: list[Any]
    broken: dict[str, tuple[int, Any]]
    made: list[str]
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self._read()
        self.made.append(self.path)
        self._answer(201, None)

    def do_POST(self) -> None:
        body = self._read()
        for end, (status, said) in self.broken.items():
            if self.path.endswith(end):
                return self._answer(status, said)
        if self.path.endswith("/publish"):
            self.queue.append(body["payload"])
            return self._answer(200, {"routed": True})
        return self._answer(200, [self.queue.pop(0)] if self.queue else [])

    def _read(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, said: Any) -> None:
        content = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Api]]:
    handler = type("One", (Api,), {"queue": [], "broken": {}, "made": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    settings = tmp_path / "api.json"
    url = f"http://127.0.0.1:{server.server_address[1]}/api"
    settings.write_text(json.dumps({"url": url, "cafile": None, "user": "fournines", "password": "x"}))
    monkeypatch.setattr(broker_health, "SETTINGS", settings)
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_broker_that_works(api: type[Api]) -> None:
    broker_health.main(["make"])
    broker_health.main(["ask"])
    assert api.queue == []
    ends = ("/vhosts/fournines", "/permissions/fournines/fournines", "/queues/fournines/health")
    assert [path.removeprefix("/api") for path in api.made] == list(ends)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"/publish": (200, {"routed": False})}, "does not take a message"),
        ({"/get": (200, [])}, "does not give a message back"),
        ({"/publish": (500, {"error": "timeout"})}, "is answered with 500"),
    ],
)
def test_one_that_does_not(api: type[Api], broken: dict[str, tuple[int, Any]], said: str) -> None:
    api.broken.update(broken)
    with pytest.raises(SystemExit, match=said):
        broker_health.main(["ask"])


def test_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "api.json"
    wrong = {"url": "http://127.0.0.1:1/api", "cafile": None, "user": "fournines", "password": "x"}
    settings.write_text(json.dumps(wrong))
    monkeypatch.setattr(broker_health, "SETTINGS", settings)
    with pytest.raises(SystemExit, match="its management API"):
        broker_health.main(["ask"])

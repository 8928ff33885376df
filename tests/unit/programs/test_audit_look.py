"""What a host's daemons are asked, and what is made of their answers."""

from __future__ import annotations

import http.server
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fournines.programs import audit_look

STAT = """\
# pxname,svname,status,
keystone,FRONTEND,OPEN,
keystone,ctl1,UP,
keystone,ctl2,DOWN,
keystone,BACKEND,UP,
"""


@contextmanager
def balancer(path: Path, uptime: int) -> Iterator[None]:
    """HAProxy's socket: one command a connection."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            for answer in (f"Name: HAProxy\nUptime_sec: {uptime}\n\n", STAT):
                link, _ = server.accept()
                with link:
                    link.recv(100)
                    link.sendall(answer.encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(5)


@pytest.mark.parametrize(("uptime", "written", "stale"), [(100, 200, False), (100, 40, True), (0, 0, False)])
def test_a_balancer_that_runs_with_an_older_configuration_is_seen(
    uptime: int, written: int, stale: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`written`: seconds ago."""
    config = tmp_path / "haproxy.cfg"
    config.write_text("")
    os.utime(config, (time.time() - written,) * 2)
    monkeypatch.setattr(audit_look, "BALANCER", config)
    monkeypatch.setattr(audit_look, "SOCKET", str(tmp_path / "s"))
    with balancer(tmp_path / "s", uptime):
        said = audit_look.haproxy()
    assert bool(said["stale"]) is stale
    assert said["servers"] == [["keystone", "ctl1", "UP"], ["keystone", "ctl2", "DOWN"]]


class Api(http.server.BaseHTTPRequestHandler):
    nodes: list[dict[str, Any]]

    def do_GET(self) -> None:
        assert self.path == "/api/nodes" and self.headers["Authorization"].startswith("Basic ")
        content = json.dumps(self.nodes).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


def test_brokers_alarms_and_partitions_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        {"name": "rabbit@ctl1", "running": True, "mem_alarm": True, "partitions": []},
        {"name": "rabbit@ctl2", "running": False},
        {"name": "rabbit@ctl3", "running": True, "disk_free_alarm": False, "partitions": ["rabbit@ctl2"]},
    ]
    api = type("Its", (Api,), {"nodes": nodes})
    with http.server.HTTPServer(("127.0.0.1", 0), api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {"url": f"http://127.0.0.1:{server.server_port}/api", "cafile": None, "user": "u", "password": "p"}
        (tmp_path / "api.json").write_text(json.dumps(settings))
        monkeypatch.setattr(audit_look, "API", tmp_path / "api.json")
        said = audit_look.rabbitmq()
        server.shutdown()
    assert said == {"running": ["rabbit@ctl1", "rabbit@ctl3"], "alarms": ["rabbit@ctl1"], "parted": True}


def test_programs_that_the_host_has_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "mariadb": "WSREP_READY\tON\nwsrep_cluster_size\t3\n",
        "systemctl": "keystone.service loaded failed failed Keystone\nsomebodys.path loaded failed failed X\n\n",
        "ip": json.dumps([{"addr_info": [{"local": "198.18.0.100"}]}, {}]),
    }
    monkeypatch.setattr(audit_look, "run", lambda *words: answers[words[0]])
    assert audit_look.galera() == {"wsrep_ready": "ON", "wsrep_cluster_size": "3"}
    assert audit_look.failed(["keystone.service", "haproxy.service"]) == ["keystone.service"]
    assert audit_look.held(["198.18.0.100", "198.18.1.100"]) == ["198.18.0.100"]


def test_what_cannot_be_told_says_why_and_hides_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"services": ["mariadb", "haproxy"], "units": [], "vips": []}
    monkeypatch.setattr(audit_look.sys, "argv", ["-", json.dumps(asked)])
    monkeypatch.setattr(audit_look, "SOCKET", "/nowhere")
    monkeypatch.setattr(audit_look, "galera", lambda: audit_look.run("sh", "-c", "echo no such user >&2; exit 1"))
    monkeypatch.setattr(audit_look, "failed", list)
    monkeypatch.setattr(audit_look, "runs", lambda _: True)
    audit_look.main()
    said = json.loads(capsys.readouterr().out)
    assert said["galera"] == {"error": "no such user"}
    assert "error" in said["haproxy"] and said["units"] == [] and said["vips"] == []
    assert "rabbitmq" not in said
    monkeypatch.setattr(audit_look, "runs", lambda unit: unit != "haproxy.service")
    audit_look.main()
    assert json.loads(capsys.readouterr().out)["haproxy"] == {"inactive": "haproxy.service"}

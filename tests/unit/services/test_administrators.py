"""A changed password of an administrator is applied: the programs that run on hosts, against stand-ins."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fournines.cloud.secrets import Secrets
from fournines.services import registry
from fournines.services.broker_accounts import DEFINITIONS, SCRIPT
from fournines.services.resource import File, Task
from samples import cases

#: In place of rabbitmqctl: writes down what it was told, and takes the password from its standard input.
RABBITMQCTL = """#!/bin/sh
echo "$*" >> "$0.said"
case $2 in change_password) IFS= read -r password; printf %s "$password" > "$0.password" ;; esac
"""


class Broker(BaseHTTPRequestHandler):
    """The management API, for whoever knows the password that `rabbitmqctl` has set."""

    password: Path

    def _answer(self) -> None:
        known = self.password.read_text() if self.password.exists() else "the old one"
        login = base64.b64encode(f"fournines:{known}".encode()).decode()
        good = self.headers["Authorization"] == f"Basic {login}"
        body = b'{"vhosts": [], "users": [], "permissions": []}'
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    Broker.password = tmp_path / "rabbitmqctl.password"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_bus_administrator_gets_the_password_that_the_secrets_have(tmp_path: Path, broker: str) -> None:
    cloud = cases.Case(Path("none"), {"cloud": None}).cloud(tmp_path)
    files = {r.path: r.content for r in registry()["rabbitmq"].desired(cloud, cloud.hosts[0]) if isinstance(r, File)}
    document = json.loads(files[DEFINITIONS]) | {"url": broker, "cafile": None}
    document["definitions"] = {"vhosts": [], "users": [], "permissions": []}
    settings = json.dumps(document).encode()
    (tmp_path / "rabbitmq.json").write_bytes(settings)
    script = tmp_path / "definitions"
    script.write_text(files[SCRIPT].replace(DEFINITIONS, str(tmp_path / "rabbitmq.json")))
    (tmp_path / "rabbitmqctl").write_text(RABBITMQCTL)
    (tmp_path / "rabbitmqctl").chmod(0o755)

    def run(*words: str) -> str:
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            [sys.executable, script, *words], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    digest = hashlib.sha256(settings).hexdigest()
    assert run("check", digest) == "the password of fournines"
    assert run("apply") == "ok"
    assert run("check", digest) == "ok"
    said = (tmp_path / "rabbitmqctl.said").read_text()
    assert said == "-q change_password fournines\n-q set_user_tags fournines administrator\n"
    assert document["password"] not in said


def test_another_password_of_keystone_s_administrator_is_seen(tmp_path: Path) -> None:
    cloud = cases.Case(Path("none"), {"cloud": None}).cloud(tmp_path)

    def bootstrap() -> Task:
        found = registry()["keystone"].desired(cloud, cloud.hosts[0])
        return next(r for r in found if isinstance(r, Task) and r.name == "keystone bootstrap")

    before = bootstrap()
    cloud.secrets.set("keystone.admin", "another one")
    after = bootstrap()
    assert after.check != before.check
    assert after.check.split()[-1] in after.script, "remembered once it is set"
    assert after.stdin == "another one\n"
    assert "another one" not in after.check + after.script


def test_a_mark_says_nothing_about_a_password_that_is_easily_guessed() -> None:
    marks = {Secrets({"keystone.admin": "secret"}).mark("keystone.admin") for _ in range(3)}
    assert len(marks) == 3, "each cloud has a key of its own"
    own = Secrets({"keystone.admin": "secret", "other": "secret"})
    assert own.mark("keystone.admin") == own.mark("keystone.admin") != own.mark("other")

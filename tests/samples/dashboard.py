"""The real server on fakes: hosts whose words a test says, users whom a test knows, jobs that are played."""

from __future__ import annotations

import asyncio
import copy
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import requests
import uvicorn

from fournines.cloud.model import Cloud, Host
from fournines.commands.design import finite
from fournines.engine.shell import ShellHost
from fournines.health import follow
from fournines.health.follow import Follower
from fournines.services import load, tls
from fournines.web.access import Access
from fournines.web.app import application
from fournines.web.audit import FILE, Audit
from fournines.web.call import Server
from fournines.web.computed import Computed
from fournines.web.feed import Feed
from fournines.web.jobs import Jobs
from fournines.web.keystone import KeystoneDownError, RefusedError
from fournines.web.roles import Identity
from fournines.web.serve import Listen, configuration
from samples.agents import HOSTS, well

EXAMPLE = Path(__file__).parents[2] / "examples" / "three-controllers.yaml"
BREAK_GLASS = "b" * 43
USERS: Mapping[str, Identity] = {
    name: Identity(name, role, "keystone")  # pyright: ignore[reportArgumentType]
    for name, role in (("rita", "reader"), ("otto", "operator"), ("ada", "admin"))
}


class Users:
    """Keystone: everybody's password is `secret`, everybody's token `token-NAME`."""

    def __init__(self) -> None:
        self.down = False

    async def by_password(self, user: str, password: str, domain: str) -> Identity:
        return self._found(user if password == "secret" and domain == "Default" else "")

    async def by_token(self, token: str) -> Identity:
        return self._found(token.removeprefix("token-") if token.startswith("token-") else "")

    def _found(self, name: str) -> Identity:
        if self.down:
            raise KeystoneDownError("Keystone does not answer", next="sign in with the break-glass token")
        if name not in USERS:
            raise RefusedError("Keystone refuses this")
        return USERS[name]


async def silent(host: Host) -> ShellHost:
    await asyncio.Event().wait()
    raise AssertionError("it never answers")


async def computed(what: str, _cloud: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """As the process does; what hosts would be asked for is played."""
    from fournines.web import compute

    played = PLAYED.get(what)
    found = played(asked) if played else compute.WHAT[what](EXAMPLE, asked)
    return json.loads(json.dumps(finite(found), default=str))


REQUEST = "req-4f1c0b5e-3a0f-4a7e-8f5e-0a1d2c3b4e5f"
LINES = (
    ("ctl1", "haproxy", "WARNING", "Server keystone/ctl2 is DOWN, reason: Layer4 timeout, check duration: 301ms."),
    ("ctl2", "mariadb", "ERROR", "WSREP: gcs/src/gcs_group.cpp: not in primary component <script>alert(1)</script>"),
    ("ctl3", "keystone", "INFO", f"{REQUEST} POST /v3/auth/tokens 201 took 0.031 s"),
    ("ctl1", "nova-api", "INFO", f"{REQUEST} GET /v2.1/servers/detail 200 took 0.120 s"),
)


def _lines() -> dict[str, Any]:
    began = time.time() - 30
    entries = [
        {"time": began + n * 0.5, "host": host, "unit": unit, "level": level, "message": message}
        for n, (host, unit, level, message) in enumerate(LINES)
    ]
    host = {"lines": 2, "begins": began - 86_400, "clock_ahead_s": 0.0, "cut": False}
    common = {"since": began, "until": began + 30, "failures": {"ctl2": "ctl2 does not answer"}, "left_out": 0}
    return {**common, "hosts": {"ctl1": host, "ctl3": host}, "entries": entries, "remarks": ["✗ ctl2 does not answer"]}


def _logs(asked: Mapping[str, Any]) -> dict[str, Any]:
    from fournines.commands.logs import checked

    checked(asked["grep"])
    return _lines()


def _trace(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {**_lines(), "request": asked["request"], "requests": [asked["request"]]}


def _alerts(_asked: Mapping[str, Any]) -> dict[str, Any]:
    from fournines.commands.alerts import rules, understood

    said: list[dict[str, Any]] = [
        {
            "labels": {"alertname": "HostDown", "severity": "critical", "region": "phx", "host": "ctl2"},
            "annotations": {"summary": "ctl2 does not answer"},
            "startsAt": "2026-11-28T03:12:30.000Z",
            "status": {"state": "active"},
        }
    ]
    found = [asdict(alert) for alert in understood(said)]
    return {"rules": rules(load(EXAMPLE)), "firing": found, "asked": {"phx": "ctl1"}, "failures": {}}


PLAYED: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "logs": _logs,
    "trace": _trace,
    "alerts": _alerts,
}


class Site:
    """`cloud_file` in a directory of its own. `words`: host -> its state.json, said again each second; None: it lost
    power."""

    def __init__(self, directory: Path, source: Path = EXAMPLE) -> None:
        self.cloud_file = directory / source.name
        shutil.copy(source, self.cloud_file)
        self.cloud: Cloud = load(self.cloud_file)
        authority = tls.trusted(self.cloud)
        self.cloud.secrets.save()
        self.state = self.cloud.state_dir
        self.state.mkdir(parents=True, exist_ok=True)
        self.authority = self.state / "ca.pem"
        self.authority.write_text(authority)
        self.certificate = self.state / "serve.pem"
        self.certificate.write_text(tls.operator_pem(self.cloud, ("localhost",), ()))
        self.users = Users()
        self.clients: list[Client] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.words: dict[str, dict[str, Any] | None] = {h: copy.deepcopy(well(h, n)) for n, h in enumerate(HOSTS)}
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self.url = f"https://localhost:{self.port}"
        self.follower: Follower | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._uvicorn: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """A server of its own each time: what is in memory alone is gone."""
        feed = Feed(self.cloud_file, load=load, make=self._follow)
        self.server = Server(
            feed=feed,
            jobs=Jobs(self.state, self.cloud_file, self._play),
            access=Access(self.users, BREAK_GLASS, self.state),
            audit=Audit(self.state / FILE),
            computed=Computed(self.cloud_file, self.state, computed),
        )
        config = configuration(application(self.server), Listen("127.0.0.1", self.port), self.certificate)
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._uvicorn.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _play(self, directory: Path) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("play_job.py")
        self.processes.append(subprocess.Popen([sys.executable, str(program), str(directory)]))
        return self.processes[-1]

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            assert self._uvicorn
            saying = asyncio.create_task(self._say_again())
            await self._uvicorn.serve()
            saying.cancel()
            for connection in list(self._uvicorn.server_state.connections):  # clients that keep theirs
                if connection.transport:
                    connection.transport.abort()
            await asyncio.sleep(0.05)
            await self.server.feed.close()

        asyncio.run(main())

    def _follow(self, cloud: Cloud) -> Follower:
        self.follower = Follower(cloud, silent)
        self._say()
        return self.follower

    async def _say_again(self) -> None:
        while True:
            self._say()
            await asyncio.sleep(0.5)

    def _say(self) -> None:
        for host, document in self.words.items():
            if document and self.follower:
                at = document["time"] + 0.2
                said = follow.understood(host, str(at), json.dumps(document), asked=at - 0.2, answered=at + 0.2)
                self.follower.hear(host, said)

    def power_off(self, host: str) -> None:
        """Its peers' guards declare it dead."""
        self.power_off_quietly(host)
        self.say_now()

    def power_off_quietly(self, host: str) -> None:
        """The same, heard with what is said next."""
        self.words[host] = None
        for name, document in self.words.items():
            if document and name != host:
                document["peers"][host] |= {"confirmed": False, "departed": True}

    def say_now(self) -> None:
        assert self._loop
        self._loop.call_soon_threadsafe(self._say)

    def stop(self) -> None:
        """As by SIGTERM: connections end."""
        assert self._uvicorn and self._thread
        self._uvicorn.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def client(self, token: str = "") -> Client:
        self.clients.append(Client(self, token))
        return self.clients[-1]


class Client(requests.Session):
    """Somebody at this server; with a token, or without."""

    def __init__(self, site: Site, token: str = "") -> None:
        super().__init__()
        self.site = site
        self.trust_env = False
        self.verify = str(site.authority)
        if token:
            self.headers["x-auth-token"] = token

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.request(method, self.site.url + path, json=body, timeout=20, **more)

    def sign_in(self, user: str) -> str:
        """The session's CSRF token."""
        answer = self.ask("POST", "/v1/session", {"user": user, "password": "secret"})
        assert answer.status_code == 200, answer.text
        return answer.json()["csrf"]

    def ended(self, job: str, within: float = 30.0) -> dict[str, Any]:
        """The job's page when it has ended."""
        deadline = time.monotonic() + within
        while True:
            page = self.ask("GET", f"/v1/jobs/{job}").json()
            if page["job"]["state"] != "running":
                return page
            assert time.monotonic() < deadline, page
            time.sleep(0.05)


@contextmanager
def serving(directory: Path, source: Path = EXAMPLE) -> Generator[Site]:
    site = Site(directory, source)
    site.start()
    try:
        yield site
    finally:
        for client in site.clients:
            client.close()
        site.stop()
        for process in site.processes:
            process.kill()
            process.wait()

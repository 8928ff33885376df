"""Parts of the server by themselves: roles, Keystone's answers, tokens, the lock's holder, the worker."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from fournines import lab
from fournines.cli import serve as serve_command
from fournines.engine import holder, local_lock
from fournines.engine.events import ChangeStarted, GateWaits, HostFailed
from fournines.errors import FourninesError, HostError, UsageError
from fournines.web import app, process, work
from fournines.web.access import Failures, Sessions, TooManyError, break_glass_token
from fournines.web.keystone import Keystone, KeystoneDownError, RefusedError, Scope
from fournines.web.roles import KEYSTONE, Identity, best, mapping
from fournines.web.serve import Listen, bind
from samples.dashboard import EXAMPLE


def test_the_best_of_several_roles_counts() -> None:
    assert best(["member", "admin", "reader"], KEYSTONE) == "admin"
    assert best(["creator"], KEYSTONE) is None
    assert mapping(["ops=operator"]) == {"ops": "operator"}
    for wrong in ("ops", "ops=root", "=admin"):
        with pytest.raises(UsageError):
            mapping([wrong])


# Keystone


def token(project: str = "admin", *roles: str) -> dict[str, Any]:
    domain = {"id": "default", "name": "Default"}
    return {
        "token": {
            "user": {"name": "ada", "domain": domain},
            "project": {"name": project, "domain": domain},
            "roles": [{"name": name} for name in roles],
        }
    }


@asynccontextmanager
async def keystone(status: int, body: Any) -> AsyncIterator[tuple[Keystone, list[web.Request]]]:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/v3/auth/tokens", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    port = runner.addresses[0][1]
    try:
        yield Keystone(f"http://127.0.0.1:{port}/v3", "", Scope("admin", "Default", KEYSTONE)), asked
    finally:
        await runner.cleanup()


async def test_a_password_gives_the_role_in_the_project() -> None:
    async with keystone(201, token("admin", "reader", "manager")) as (made, asked):
        assert await made.by_password("ada", "secret", "Default") == Identity("ada", "operator", "keystone")
        assert asked[0].method == "POST"


async def test_a_token_is_asked_for_once_a_minute() -> None:
    async with keystone(200, token("admin", "admin")) as (made, asked):
        assert (await made.by_token("t")).role == "admin"
        await made.by_token("t")
        assert len(asked) == 1
        await made.by_token("other")
        assert len(asked) == 2


@pytest.mark.parametrize("body", [token("other", "admin"), token("admin", "creator"), token("admin")])
async def test_other_projects_and_roles_give_nothing(body: dict[str, Any]) -> None:
    async with keystone(200, body) as (made, _):
        with pytest.raises(RefusedError):
            await made.by_token("t")


@pytest.mark.parametrize(("status", "kind"), [(401, RefusedError), (404, RefusedError), (503, KeystoneDownError)])
async def test_refused_is_not_down(status: int, kind: type[FourninesError]) -> None:
    async with keystone(status, {}) as (made, _):
        with pytest.raises(kind):
            await made.by_password("ada", "x", "Default")


async def test_nobody_there_is_down() -> None:
    made = Keystone("http://127.0.0.1:9/v3", "", Scope("admin", "Default", KEYSTONE))
    with pytest.raises(KeystoneDownError, match="Keystone does not answer"):
        await made.by_token("t")


@pytest.mark.parametrize("body", [{}, {"token": None}, [], "x"])
async def test_an_odd_answer_is_down(body: Any) -> None:
    async with keystone(200, body) as (made, _):
        with pytest.raises((KeystoneDownError, RefusedError)):
            await made.by_token("t")


# Tokens and sessions


def test_the_break_glass_token_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    made, path = break_glass_token(tmp_path / "state")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert break_glass_token(tmp_path / "state") == (made, path)
    path.chmod(0o644)
    with pytest.raises(FourninesError, match="others may read"):
        break_glass_token(tmp_path / "state")


def test_sessions_end(tmp_path: Path) -> None:
    at = [1000.0]
    made = Sessions(tmp_path / "s", lambda: at[0])
    key, _ = made.open(Identity("ada", "admin", "keystone"))
    for _ in range(11):
        at[0] += 3600
        assert made.find(key)
    at[0] += 3601
    assert made.find(key) is None
    idle, _ = made.open(Identity("ada", "admin", "keystone"))
    at[0] += 2 * 3600 + 1
    assert made.find(idle) is None


def test_failures_are_forgotten_after_a_minute() -> None:
    at = [0.0]
    made = Failures(lambda: at[0])
    for _ in range(5):
        made.require_few("10.0.0.1")
        made.note("10.0.0.1")
    with pytest.raises(TooManyError):
        made.require_few("10.0.0.1")
    made.require_few("10.0.0.2")
    at[0] = 61.0
    made.require_few("10.0.0.1")


def test_many_addresses_together_are_limited_too() -> None:
    made = Failures(lambda: 0.0)
    for number in range(50):
        made.note(f"10.0.0.{number}")
    with pytest.raises(TooManyError):
        made.require_few("10.9.9.9")


# The lock


def test_who_holds_the_lock_is_said_without_taking_it(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with local_lock(tmp_path):
        assert f"pid {os.getpid()}" in (holder(tmp_path) or "")
    assert holder(tmp_path) is None
    (tmp_path / "lock").write_text("somebody who was killed")
    assert holder(tmp_path) is None


def test_a_process_is_known_by_more_than_its_number() -> None:
    me = process.started()
    assert process.runs(me)
    assert not process.runs({**me, "started": 1})
    assert not process.runs({"pid": 2**22 + 1, "started": 0})


# The worker


def order(directory: Path, kind: str, cloud: Path = EXAMPLE, **arguments: Any) -> dict[str, Any]:
    directory.mkdir(exist_ok=True)
    asked = {"kind": kind, "cloud": str(cloud), "arguments": arguments, "by": "ada", "began": 0, "backups": "backups"}
    (directory / work.ORDER).write_text(json.dumps(asked))
    work.main(directory)
    return json.loads((directory / work.RESULT).read_text())


def test_a_job_ends_in_what_happened_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "exists", lambda _name: False)
    lacking = order(tmp_path / "1", "plan", tmp_path / "no.yaml")
    assert (lacking["state"], "no.yaml" in json.dumps(lacking["error"])) == ("failed", True)
    unknown = order(tmp_path / "2", "plan", hosts=["ctl9"])
    assert unknown["error"]["what"] == "acme has no host ctl9"
    gone = order(tmp_path / "3", "apply", plan="20261128T000000Z-plan-abc")
    assert gone["error"]["next"] == "plan again"
    name = order(tmp_path / "4", "prove", faults="host.power_off@vip", confirm="other")
    assert "not a lab's" in name["error"]["what"]
    both = order(tmp_path / "5", "prove")
    assert "either faults, a suite or a soak" in both["error"]["what"]
    power = order(tmp_path / "6", "power", host="ctl1", action="off")
    assert "not a lab's" in power["error"]["what"]


def test_a_mistake_of_the_program_is_a_failed_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fournines.web import tasks_all

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setitem(tasks_all.TASKS, "plan", broken)
    assert order(tmp_path / "1", "plan")["error"]["what"] == "fournines failed: ZeroDivisionError"


def test_sigterm_cancels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    from fournines.web import tasks_all

    before = signal.getsignal(signal.SIGINT)
    try:
        monkeypatch.setitem(tasks_all.TASKS, "plan", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        assert order(tmp_path / "1", "plan")["state"] == "cancelled"
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_the_engines_events_are_lines(tmp_path: Path) -> None:
    made = work.Work(tmp_path)
    made.report(ChangeStarted("haproxy", "ctl1", 1, 2, "add", "package:haproxy"))
    for _ in range(3):
        made.report(GateWaits("haproxy", "ctl1", "answers", 9.0))
    made.report(HostFailed("ctl2", HostError("no power", where="ctl2")))
    lines = [json.loads(line) for line in (tmp_path / work.EVENTS).read_text().splitlines()]
    assert [line["type"] for line in lines] == ["change", "waits", "host-failed"]
    assert lines[0]["kind"] == "add"
    assert lines[2]["what"] == "no power"


# The command


def test_the_command_prints_the_document_and_refuses_odd_addresses() -> None:
    printed = CliRunner().invoke(serve_command.command, [str(EXAMPLE), "--openapi"])
    assert json.loads(printed.stdout)["openapi"] == "3.1.0"
    for wrong in ("8440", "localhost:", "localhost:0", "x:99999"):
        assert isinstance(
            CliRunner().invoke(serve_command.command, [str(EXAMPLE), "--listen", wrong]).exception, UsageError
        )


def test_a_port_that_is_taken_is_an_error() -> None:
    with bind(Listen("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        first.listen()
        with pytest.raises(FourninesError, match="cannot be served"):
            bind(Listen("127.0.0.1", port))


def test_every_module_of_the_page_is_asked_for_at_once() -> None:
    """Else a browser finds them one level after another, a round trip each."""
    page = Path(app.__file__).with_name("page")
    asked = set(re.findall(r'<link rel="modulepreload" href="(.*?)">', (page / "index.html").read_text()))
    assert asked == {module.name for module in page.glob("*.js")} - {"main.js"}

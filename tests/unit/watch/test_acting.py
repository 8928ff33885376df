"""Handlers at work: what is seen, what is carried out, what is recorded, who is told."""

from __future__ import annotations

import asyncio
import copy
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fournines.cloud.handlers import SHIPPED, Handler, Receiver
from fournines.cloud.model import Cloud
from fournines.commands import handlers, notify
from fournines.commands.handlers import Hands, message
from fournines.engine import SshOptions, local_lock
from fournines.errors import CloudFileError, FourninesError, HostError
from fournines.health.cluster import Unknown
from fournines.health.look import together
from fournines.health.snapshot import parse
from fournines.services import load
from fournines.watch import act
from fournines.watch.act import Acting, Doing, ask_to_resume, last, stopped
from fournines.watch.conditions import conditions, log_full
from fournines.watch.decide import Action, Condition
from samples.agents import HOSTS, well

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
CLOUD = load(EXAMPLE)
DOWN = Condition("daemon.down", "ctl1", "nova-compute", "nova-compute of ctl1 is failed")
NOW = 2_000_000_000.0


# Conditions


def seen(change: Callable[[dict[str, dict[str, Any]]], None], gone: tuple[str, ...] = ()) -> frozenset[Condition]:
    words = {host: copy.deepcopy(well(host, n)) for n, host in enumerate(HOSTS)}
    for word in words.values():
        word["certificates"] = {"ends": {"/etc/x.pem": NOW + 100 * 86_400}}
    change(words)
    states: dict[str, Any] = {h: parse(w, 0.1) for h, w in words.items()}
    states |= {h: Unknown(h, "does not answer", "silence", "") for h in gone}
    found, unknown = conditions(together(CLOUD, states), "phx", (), (), now=NOW)
    assert unknown == set(gone)
    return found


def test_a_healthy_cloud_has_no_conditions() -> None:
    assert seen(lambda words: None) == frozenset()


def test_what_agents_say_becomes_conditions() -> None:
    def change(words: dict[str, dict[str, Any]]) -> None:
        words["ctl1"]["units"]["units"]["keystone.service"] = {"ActiveState": "failed", "Result": "exit-code"}
        words["ctl2"]["certificates"]["ends"]["/etc/x.pem"] = NOW + 5 * 86_400

    found = {str(c): c.text for c in seen(change, gone=("ctl3",))}
    assert found == {
        "daemon.down keystone of ctl1": "keystone of ctl1 is failed (exit-code)",
        "certificate.ends /etc/x.pem of ctl2": "/etc/x.pem of ctl2 ends in 5 days",
        "host.unreachable ctl3": "ctl3 does not answer: silence",
    }


def test_a_compute_that_runs_and_does_not_report_is_down_while_nova_serves() -> None:
    def hung(words: dict[str, dict[str, Any]]) -> None:
        words["ctl3"]["units"]["units"]["nova-compute.service"] = {"ActiveState": "active", "Result": "success"}
        reports = {"nova": {"nova-compute": {"ctl3": [900, False, True], "ctl1": [1, True, True]}}}
        words["ctl2"]["openstack"] = {"reports": reports, "routers": [], "cells": {}}

    assert {str(c): c.text for c in seen(hung)} == {
        "daemon.down nova-compute of ctl3": "nova-compute of ctl3 has not reported for 900 s"
    }

    def nothing_serves(words: dict[str, dict[str, Any]]) -> None:
        hung(words)
        words["ctl1"]["vip"]["held"] = []

    assert seen(nothing_serves) == frozenset()


def test_a_host_that_starts_has_time_for_it() -> None:
    def change(words: dict[str, dict[str, Any]]) -> None:
        words["ctl1"]["units"]["units"]["keystone.service"] = {"ActiveState": "activating", "Result": "success"}
        words["ctl1"]["starting"] = True

    assert seen(change) == frozenset()


def test_when_no_host_answers_it_is_this_machine() -> None:
    assert seen(lambda words: None, gone=HOSTS) == frozenset()


def test_a_host_on_which_somebody_works_is_left_alone() -> None:
    def change(words: dict[str, dict[str, Any]]) -> None:
        words["ctl1"]["units"]["units"]["keystone.service"] = {"ActiveState": "inactive"}
        entry = {"drained": True, "reason": "disks", "since": "2026-11-28T03:12:04Z", "boot": ""}
        words["ctl2"]["maintenance"] = {"ctl1": entry}

    assert seen(change) == frozenset()


def test_a_full_log_says_what_fills_it() -> None:
    [full] = log_full("ctl1", "93\n4194304\t/var/log\n3145728\t/var/log/journal\n")
    assert full.text == "/var/log of ctl1 is 93 % full: /var/log 4096 MiB, /var/log/journal 3072 MiB"
    assert log_full("ctl1", "89\n") == log_full("ctl1", "") == log_full("ctl1", "df: no\n") == ()


# Acting


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.there: set[Condition] = set()
        self.said: list[str] = []
        self.done: list[str] = []
        self.noted: list[tuple[str, str]] = []
        self.heals = True
        self.fails = ""

    async def carry_out(self, action: Action) -> str:
        self.done.append(action.do)
        if self.fails and action.acts:
            raise HostError(self.fails, where=action.condition.host)
        if self.heals and action.acts:
            self.there.discard(action.condition)
        return f"{action.do} was done"

    def doing(self) -> Doing:
        return Doing(
            lambda: (set(self.there), set[str]()),
            self.carry_out,
            self.said.append,
            lambda handler, text: self.noted.append((handler, text)),
            lambda: self.now,
        )


async def play(acting: Acting, world: World, *moments: float) -> None:
    for moment in moments:
        world.now = moment
        acting.look()
        await asyncio.sleep(0.01)


def made(world: World, folder: Path, *chosen: Handler) -> Acting:
    return Acting(chosen or tuple(SHIPPED.values()), {"ctl1": "rack1"}, folder, world.doing())


async def test_a_dead_compute_agent_is_restarted_then_reported_and_the_record_says_so(tmp_path: Path) -> None:
    world = World()
    world.there = {DOWN}
    await play(made(world, tmp_path), world, 0.0, 31.0, 100.0, 152.0)
    assert world.done == ["restart", "notify"]
    record = last(tmp_path, 20)[::-1]
    assert [(line["do"], line["outcome"]) for line in record] == [
        ("restart", "begins"),
        ("restart", "ok"),
        ("", "remark"),
        ("notify", "begins"),
        ("notify", "ok"),
    ]
    assert record[2]["text"] == "restart helped"
    assert {line["handler"] for line in record} == {"compute-agent"}
    assert any("restart was done" in text for _, text in world.noted)


async def test_where_it_did_not_help_it_stops_until_it_is_resumed(tmp_path: Path) -> None:
    world = World()
    world.there, world.heals = {DOWN}, False
    await play(made(world, tmp_path), world, 0.0, 31.0, 152.0, 153.0, 5000.0)
    assert world.done == ["restart", "notify"]
    [(name, condition, why)] = stopped(tmp_path)
    assert (name, condition, why) == (
        "compute-agent",
        "daemon.down nova-compute of ctl1",
        "restart did not help within 120 s",
    )
    again = made(world, tmp_path)  # the watch is restarted
    await play(again, world, 5001.0, 6000.0)
    assert world.done == ["restart", "notify"]
    ask_to_resume(tmp_path, "compute-agent")
    await play(again, world, 7000.0)
    assert stopped(tmp_path) == []


async def test_one_that_fails_is_recorded_and_the_last(tmp_path: Path) -> None:
    world = World()
    world.there, world.fails = {DOWN}, "ctl1 refuses the key"
    await play(made(world, tmp_path), world, 0.0, 31.0, 32.0, 200.0)
    assert world.done == ["restart", "notify"]
    assert any(line["outcome"] == "failed" and "refuses the key" in line["text"] for line in last(tmp_path, 20))


async def test_a_dry_run_does_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    from dataclasses import replace

    world = World()
    world.there = {DOWN}
    await play(made(world, tmp_path, replace(SHIPPED["compute-agent"], dry_run=True)), world, 0.0, 31.0, 40.0)
    assert world.done == []
    assert [line["outcome"] for line in last(tmp_path, 20)][-1] == "begins"
    assert {line["outcome"] for line in last(tmp_path, 20)} == {"begins", "dry run"}
    assert any("would restart" in line for line in world.said)


async def test_what_cannot_be_recorded_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(act, "append", full)
    world = World()
    world.there = {DOWN}
    await play(made(world, tmp_path), world, 0.0, 31.0, 40.0)
    assert world.done == []
    assert any("cannot be recorded" in line for line in world.said)


async def test_a_record_that_is_damaged_or_large_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / act.STATE).write_text('{"stopped": [')
    monkeypatch.setattr(act, "MOST_BYTES", 10)
    world = World()
    world.there = {DOWN}
    await play(made(world, tmp_path), world, 0.0, 31.0, 152.0)
    assert any("begin anew" in line for line in world.said)
    assert world.done == ["restart", "notify"]
    assert len(list(tmp_path.glob("actions*.jsonl"))) == 2


# What is carried out


class FakeHost:
    def __init__(self, status: int, text: str) -> None:
        self.status, self.text, self.ran = status, text, list[str]()

    async def run(self, script: str, **_: object) -> Any:
        from fournines.engine.transport import Completed

        self.ran.append(script)
        return Completed(self.status, self.text, "" if self.status == 0 else "Job for x failed.\n")


def reach(monkeypatch: pytest.MonkeyPatch, host: FakeHost) -> None:
    from contextlib import asynccontextmanager

    from fournines.engine.connect import Connected

    @asynccontextmanager
    async def connect(hosts: Any, _options: Any) -> Any:
        yield Connected({h.name: host for h in hosts})  # type: ignore[dict-item]

    monkeypatch.setattr(handlers, "connect", connect)


def action(do: Any, condition: Condition = DOWN, **more: Any) -> Action:
    return Action(1, Handler("mine", condition.when, (do,), **more), do, condition, "rack1", ("it was restarted",))


async def test_a_restart_is_systemds(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost(0, "active\n")
    reach(monkeypatch, host)
    hands = Hands(lambda: CLOUD, SshOptions(), lambda _: None)
    assert await hands.carry_out(action("restart")) == "nova-compute of ctl1 was restarted"
    assert "systemctl restart nova-compute && systemctl is-active nova-compute" in host.ran[0]
    odd = Condition("daemon.down", "ctl1", "x; reboot", "")
    await hands.carry_out(action("restart", odd))
    assert "systemctl restart 'x; reboot' &&" in host.ran[1]
    reach(monkeypatch, FakeHost(1, ""))
    with pytest.raises(HostError, match="could not be restarted") as caught:
        await hands.carry_out(action("restart"))
    assert caught.value.why == "Job for x failed."


async def test_a_drain_is_the_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []

    async def carry_out(cloud: Cloud, ssh: Any, change: Any, needed: Any, **_: object) -> None:
        asked.append((cloud, needed))

    source = tmp_path / "cloud.yaml"
    source.write_text(EXAMPLE.read_text())
    cloud = load(source)
    monkeypatch.setattr(handlers.operation, "carry_out", carry_out)
    hands = Hands(lambda: cloud, SshOptions(), lambda _: None)
    said = await hands.carry_out(action("drain", Condition("host.unreachable", "ctl2", "", "ctl2 flaps")))
    assert said.startswith("ctl2 was drained; fournines undrain ")
    assert asked == [(cloud, ("ctl2",))]
    with pytest.raises(FourninesError, match="no power controller"):
        await hands.carry_out(action("fence"))
    with pytest.raises(HostError, match="drain cannot be done"):
        await hands.carry_out(action("drain", Condition("host.unreachable", "ctl9", "")))


async def test_a_certificate_near_its_end_is_renewed_with_all_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "cloud.yaml"
    source.write_text(EXAMPLE.read_text())
    cloud, done = load(source), list[str]()

    async def planned(_cloud: Cloud, names: tuple[str, ...], _ssh: Any, _until: str) -> list[str]:
        return [*names]

    async def carry_out(phase: str, *_: object, confirmed: bool) -> None:
        assert not confirmed
        done.append(phase)

    monkeypatch.setattr(handlers.rotating, "planned", planned)
    monkeypatch.setattr(handlers.rotating, "carry_out", carry_out)
    hands = Hands(lambda: cloud, SshOptions(), lambda _: None)
    ends = Condition("certificate.ends", "ctl2", "/etc/haproxy/public.pem")
    assert "were renewed" in await hands.carry_out(action("renew", ends))
    assert done == ["certificates"]
    with pytest.raises(HostError, match="an authority's") as caught:
        await hands.carry_out(action("renew", replace(ends, of="/etc/fournines/tls/ca.crt")))
    assert "fournines rotate" in caught.value.why and done == ["certificates"]
    own = replace(cloud, tls=replace(cloud.tls, certificate=tmp_path / "own.pem"))
    with pytest.raises(HostError, match="your own"):
        await Hands(lambda: own, SshOptions(), lambda _: None).carry_out(action("renew", ends))

    async def locked(*_: object, **__: object) -> None:
        raise CloudFileError("acme.secrets.yaml cannot be written", why="Read-only file system")

    monkeypatch.setattr(handlers.rotating, "carry_out", locked)
    with pytest.raises(HostError, match="cannot be written from here") as caught:
        await hands.carry_out(action("renew", ends))
    assert "fournines rotate CLOUD certificates" in caught.value.why


async def test_an_action_waits_for_another_run_that_holds_the_cloud(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "cloud.yaml"
    source.write_text(EXAMPLE.read_text())
    cloud, said = load(source), list[str]()
    monkeypatch.setattr(handlers, "LOCKED_AGAIN_S", 0.05)

    async def carry_out(*_: object, **__: object) -> None:
        pass

    monkeypatch.setattr(handlers.operation, "carry_out", carry_out)
    drain = action("drain", Condition("host.unreachable", "ctl2", ""))
    hands = Hands(lambda: cloud, SshOptions(), said.append)
    with local_lock(cloud.state_dir):
        doing = asyncio.create_task(hands.carry_out(drain))
        await asyncio.sleep(0.2)
        assert not doing.done()
    assert (await doing).startswith("ctl2 was drained")
    assert "another run holds this cloud" in said[0]


# Who is told


def with_receivers(tmp_path: Path, text: str, secrets: str = "") -> Cloud:
    source = tmp_path / "cloud.yaml"
    source.write_text(EXAMPLE.read_text() + text)
    if secrets:
        path = tmp_path / f"{load(source).name}.secrets.yaml"
        path.write_text(secrets)
        path.chmod(0o600)
    return load(source)


async def test_a_webhook_gets_text_and_the_event_with_the_token_of_the_secrets(tmp_path: Path) -> None:
    got: list[tuple[str, Any]] = []

    async def hook(request: web.Request) -> web.Response:
        got.append((request.headers.get("Authorization", ""), await request.json()))
        return web.Response(status=500 if request.path == "/broken" else 200)

    app = web.Application()
    app.router.add_post("/{path:.*}", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    cloud = with_receivers(
        tmp_path,
        "\nreceivers: {ops: {kind: webhook}}\n",
        f"receivers.ops.url: {url}/services/T0/secret\nreceivers.ops.token: hush\n",
    )
    hands = Hands(lambda: cloud, SshOptions(), lambda _: None)
    assert await hands.carry_out(action("notify")) == "told ops"
    [(token, body)] = got
    assert token == "Bearer hush"
    assert (
        body["text"] == "nova-compute of ctl1 is failed (handler mine)\nit was restarted" == message(action("notify"))
    )
    assert (body["event"], body["host"], body["cloud"]) == ("daemon.down", "ctl1", cloud.name)
    broken = Receiver("ops", "webhook", f"{url}/broken")
    with pytest.raises(FourninesError) as caught:
        await notify.tell(cloud, broken, "x", {})
    assert caught.value.why == "HTTP 500"
    assert "broken" not in str(caught.value)
    await runner.cleanup()
    with pytest.raises(FourninesError) as caught:
        await hands.carry_out(action("notify"))
    assert "secret" not in str(caught.value)


async def test_a_webhook_without_an_address_says_where_it_belongs(tmp_path: Path) -> None:
    cloud = with_receivers(tmp_path, "\nreceivers: {ops: {kind: webhook}}\n")
    with pytest.raises(FourninesError, match="ops has no url") as caught:
        await notify.tell(cloud, cloud.receivers["ops"], "x", {})
    assert "receivers.ops.url" in caught.value.next
    assert "receivers.ops.url" not in cloud.secrets.names()


async def test_a_script_gets_the_event_on_its_input(tmp_path: Path) -> None:
    script = tmp_path / "told"
    script.write_text(f"#!/bin/sh\ncat > {tmp_path}/got\nexit $(grep -c fail {tmp_path}/got)\n")
    script.chmod(0o755)
    receiver = Receiver("own", "script", script=script)
    await notify.tell(CLOUD, receiver, "well", {"host": "ctl1"})
    assert json.loads((tmp_path / "got").read_text())["host"] == "ctl1"
    with pytest.raises(FourninesError, match="own could not be told"):
        await notify.tell(CLOUD, receiver, "fail", {})
    with pytest.raises(FourninesError, match="own could not be told"):
        await notify.tell(CLOUD, Receiver("own", "script", script=tmp_path / "none"), "x", {})


async def test_mail_is_sent_and_no_password_in_the_clear(tmp_path: Path) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    heard: list[str] = []

    def serve() -> None:
        for _ in range(2):
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as file:
                file.write(b"220 here\r\n")
                file.flush()
                data = False
                for raw in file:
                    line = raw.decode().rstrip()
                    command = line.lower()
                    heard.append(line)
                    if data and line != ".":
                        continue
                    data = command == "data"
                    file.write(b"354 go on\r\n" if data else b"221 bye\r\n" if command == "quit" else b"250 ok\r\n")
                    file.flush()
                    if command == "quit":
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = server.getsockname()[1]
    text = f"\nreceivers: {{ops: {{kind: mail, server: '127.0.0.1:{port}', sender: w@x.example, to: [o@x.example]}}}}\n"
    cloud = with_receivers(tmp_path, text)
    await notify.tell(cloud, cloud.receivers["ops"], "it is out\nsince then", {})
    assert f"Subject: [{cloud.name}] it is out" in heard
    del heard[:]
    cloud = with_receivers(tmp_path, text, "receivers.ops.password: hush\n")
    with pytest.raises(FourninesError):  # it offers no TLS
        await notify.tell(cloud, cloud.receivers["ops"], "x", {})
    assert not any("AUTH" in line.upper() or "hush" in line for line in heard)
    server.close()


# The cloud file


def test_every_cloud_has_the_shipped_ones_and_may_change_them(tmp_path: Path) -> None:
    assert CLOUD.handlers == SHIPPED
    text = """
handlers:
  compute-agent: {enabled: false}
  flapping-host: {times: 5, within: 1h}
  mine: {when: outage, of: ["validate*"], do: [notify], notify: [ops], lasts: 30s, limit: 2, per: 1d}
receivers: {ops: {kind: webhook, url: "https://127.0.0.1/hook"}}
"""
    cloud = with_receivers(tmp_path, text)
    assert not cloud.handlers["compute-agent"].enabled
    assert cloud.handlers["compute-agent"].do == ("restart", "notify")
    assert (cloud.handlers["flapping-host"].times, cloud.handlers["flapping-host"].within) == (5, 3600.0)
    mine = cloud.handlers["mine"]
    assert (mine.of, mine.receivers, mine.lasts, mine.per) == (("validate*",), ("ops",), 30.0, 86_400.0)

"""The real prober's process against a Keystone that is there, hangs, or was never there; `prove`'s loop beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from fournines.health.cluster import Cluster
from fournines.health.look import together
from fournines.logs.collect import Logs
from fournines.prove.figures import Phases, figures
from fournines.prove.load.identity import KeystoneProbes
from fournines.prove.load.loop import OpenLoop
from fournines.prove.load.spec import Database, Identity
from fournines.prove.model import Operation
from fournines.prove.pass_marks import service_gap
from fournines.prove.probes import PROBES
from fournines.services import load
from fournines.watch import daemon, outages
from fournines.watch.availability import measured
from fournines.watch.daemon import Hands, Watch
from fournines.watch.incidents import Incidents
from fournines.watch.ledger import Ledger
from fournines.watch.now import told
from fournines.watch.spec import WatchSpec

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"
CLOUD = load(EXAMPLE)


class Keystone:
    """Answers while `up` is set; else it takes requests and keeps them until it is."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.up.set()
        self.refuses = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await self.up.wait()
        if self.refuses:
            return web.json_response({}, status=401)
        token = {"token": {"user": {"name": "admin"}, "catalog": []}}
        status = 201 if request.method == "POST" else 200
        return web.json_response(token, status=status, headers={"X-Subject-Token": "t"})


@asynccontextmanager
async def serving(fake: Keystone) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v3"
    finally:
        fake.up.set()
        await runner.cleanup()


def identity(url: str) -> Identity:
    return Identity(url, "", "admin", "secret", "admin", "")


def spec(url: str, *functions: str) -> WatchSpec:
    database = Database("127.0.0.1", 1, "probe", "secret", "probe", 1.0, 1.0)
    return WatchSpec(time.monotonic(), functions, 10.0, "watch-here", "phx", identity(url), database, None)


def nobody() -> Cluster:
    return together(CLOUD, {})


async def none(*_: object) -> Logs:
    return Logs(())


@pytest.fixture(autouse=True)
def told_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "EVERY_S", 0.0)


@asynccontextmanager
async def watching(spec: WatchSpec, folder: Path) -> AsyncIterator[Watch]:
    said: list[str] = []
    watch = Watch(spec, folder, Hands(nobody, lambda: (), none, said.append))
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: object, within: float) -> None:
    assert callable(holds)
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.05)


async def test_an_outage_is_as_long_as_prove_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "CALM_S", 2)
    monkeypatch.setattr(daemon, "AROUND_S", -2.0)
    fake, seen = Keystone(), list[Operation]()
    async with serving(fake) as url, watching(spec(url, "validate"), tmp_path):
        began = time.monotonic()
        prove, loop = KeystoneProbes(identity(url)), OpenLoop(lambda: time.monotonic() - began, 10.0, "p", seen.append)
        await prove.start()
        loop.start({PROBES["validate"]: prove.validate}, 0.2)
        await until(lambda: states(tmp_path) == {"validate": "good"}, within=60.0)
        await asyncio.sleep(1.0)
        struck = time.monotonic() - began
        fake.up.clear()
        await until(lambda: Incidents(tmp_path).all(), within=10.0)  # it is known while it goes on
        noticed = time.monotonic() - began - struck
        await asyncio.sleep(max(0.0, 3.3 - noticed))
        fake.up.set()
        await until(lambda: [i for i in Incidents(tmp_path).all() if i.ended is not None], within=10.0)
        await loop.stop()
        await prove.close()
    ended = time.monotonic() - began
    proved, _ = figures(PROBES["validate"], seen, Phases(0.0, struck, ended, ended, ended))
    [found] = Incidents(tmp_path).all()
    watched = found.of("ended")[0]["figures"]["validate"][""]
    # A busy machine may be late with either: what is compared is the same outage, on the same machine, at once.
    assert watched["longest_gap_s"] == pytest.approx(service_gap(proved.whole, proved.whole.longest_gap_s), abs=0.2)
    assert watched["worst_wait_s"] == pytest.approx(proved.whole.worst_wait_s, abs=0.25)
    assert 3 <= found.bad["validate"] <= 5
    assert noticed < 3.0
    [row] = measured(Ledger(tmp_path), time.time() + 1, {})
    assert row.seconds.bad == found.bad["validate"]


async def test_what_cannot_be_asked_for_is_unknown_and_what_can_is_not(tmp_path: Path) -> None:
    """Nobody can sign in: a password can be tried, and fails; without a token nothing else can even be asked for."""
    made = spec("http://127.0.0.1:1/v3", "validate", "authenticate_password")
    async with watching(made, tmp_path):
        await until(lambda: Incidents(tmp_path).all(), within=60.0)
        await asyncio.sleep(1.5)
    sums = Ledger(tmp_path).since(0, time.time() + 60)
    assert sums["validate"].known == 0
    assert sums["validate"].unknown > 0
    assert sums["authenticate_password"].bad > 0
    assert Incidents(tmp_path).all()[0].functions == ("authenticate_password",)


def states(folder: Path) -> Mapping[str, str] | None:
    now = told(folder)
    return now.functions if now else None


async def test_a_prober_that_is_killed_begins_again(tmp_path: Path) -> None:
    fake = Keystone()
    async with serving(fake) as url:
        made = spec(url, "validate")
        async with watching(made, tmp_path) as watch:
            await until(lambda: states(tmp_path) == {"validate": "good"}, within=60.0)
            watch.respec(replace(made, timeout=5.0))
            await until(lambda: states(tmp_path) == {"validate": "unknown"}, within=60.0)
            await until(lambda: states(tmp_path) == {"validate": "good"}, within=60.0)
    sums = Ledger(tmp_path).since(0, time.time() + 60)["validate"]
    assert sums.bad == 0
    assert sums.good > 0
    assert sums.unknown > 0
    assert Incidents(tmp_path).all() == []


async def test_a_refused_password_is_unknown(tmp_path: Path) -> None:
    fake = Keystone()
    fake.refuses = True
    async with serving(fake) as url, watching(spec(url, "validate"), tmp_path):
        await until(lambda: (now := told(tmp_path)) and now.unready == ("validate",), within=60.0)
        await asyncio.sleep(1.5)
    sums = Ledger(tmp_path).since(0, time.time() + 60)["validate"]
    assert (sums.known, sums.unknown > 0) == (0, True)

"""A measurement in which one part breaks off: what the others saw is kept, and judged."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fournines.cloud.model import Pattern, TimingSpec
from fournines.errors import HostError, ProveError
from fournines.prove import measure as measuring
from fournines.prove.history import OPERATIONS, ROUTED, Event, Log
from fournines.prove.model import Fault, Finding, Operation
from fournines.prove.site import Lengths, Look, Site
from fournines.prove.watch import Holders

FAULT = Fault("service.kill", "keystone", "one", 0.0)


class World:
    """Ten rows are acknowledged, of which a node shows eight. `breaks`: the part that raises `error`."""

    def __init__(self, directory: Path, breaks: str, error: Exception) -> None:
        self._directory = directory
        self._breaks = breaks
        self._error = error
        self._clock = 0.0
        self.against: list[tuple[str, ...]] = []
        self.said: list[str] = []

    def maybe(self, part: str) -> None:
        if part == self._breaks:
            raise self._error

    def now(self) -> float:
        self._clock += 0.01
        return self._clock

    async def start(self) -> float:
        self.maybe("start")
        with Log(self._directory / OPERATIONS) as log:
            for n in range(10):
                log.operation(Operation("write_row", "kept", n / 1000, n / 1000, n / 1000, "ok", f"r{n}"))
        return 0.0

    async def stop(self) -> int:
        self.maybe("draining")
        return 0

    async def kill(self) -> None: ...

    async def look(self) -> Look:
        return Look(cast(Any, SimpleNamespace()), ())

    async def confirm(self) -> tuple[str, ...]:
        return self.against.pop(0) if self.against else ()

    async def audit(self) -> tuple[Finding, ...]:
        self.maybe("audit")
        return (Finding("quorum", True, ""),)

    @asynccontextmanager
    async def watching(self, *_: object) -> AsyncGenerator[Holders, None]:
        yield Holders()
        self.maybe("watching")

    async def read(self, *_: object) -> list[Event]:
        self.maybe("reading")
        shown = [f"r{n}" for n in range(8)]
        return [Event("read", self.now(), {"kind": "rows", "reader": "database on ctl1", "values": shown})]

    def site(self) -> Site:
        nothing: Callable[..., None] = lambda *_: None  # noqa: E731
        reporter = SimpleNamespace(begin=nothing, phase=self.said.append, counts=nothing, result=nothing)
        return Site(
            cloud=cast(
                Any,
                SimpleNamespace(
                    name="acme",
                    timing=TimingSpec(),
                    state_dir=self._directory,
                    hosts_of=lambda *_: (),
                    pattern=Pattern(),
                    passive=frozenset[str](),
                ),
            ),
            region=cast(Any, SimpleNamespace(name="phx", public_hosts={})),
            powers=cast(Any, None),
            health=cast(Any, self),
            grounds=cast(Any, None),
            reach=cast(Any, None),
            lengths=Lengths(before=0.0, after=0.0, redundant_within=0.0),
            reporter=cast(Any, reporter),
            epoch=0.0,
            now=self.now,
            functions=("write_row",),
        )


def world(directory: Path, monkeypatch: pytest.MonkeyPatch, breaks: str, error: Exception) -> World:
    made = World(directory, breaks, error)

    async def spec(_trial: object) -> None: ...
    async def healed(*_: object) -> tuple[str, ...]:
        return ()

    async def strike(trial: Any, began: float, _holders: object) -> bool:
        trial._begin(began, ("ctl3",), SimpleNamespace(roles=lambda _: (), runs={}))
        for name in ("injecting", "injected", "seen", "healed"):
            trial._event(name, **({"what": ["ctl3: another process"]} if name == "seen" else {}))
        made.maybe("strike")
        return True

    monkeypatch.setattr(measuring, "PHASE_S", 0.0)
    monkeypatch.setattr(measuring, "lacking", lambda *_: "")
    monkeypatch.setattr(measuring, "heal_leftovers", healed)
    monkeypatch.setattr(measuring, "strikable", lambda *_: ("ctl1", "ctl2", "ctl3"))
    monkeypatch.setattr(measuring, "LoadProcess", lambda *_: made)
    monkeypatch.setattr(measuring, "watching", made.watching)
    monkeypatch.setattr(measuring, "connector", lambda *_: None)
    monkeypatch.setattr(measuring.reads, "readers", lambda *_: {})
    monkeypatch.setattr(measuring.reads, "read_until_agreed", made.read)
    monkeypatch.setattr(measuring.Trial, "_spec", spec)
    monkeypatch.setattr(measuring.Trial, "_strike", strike)
    return made


@pytest.mark.parametrize("part", ["", "watching", "draining", "audit"])
@pytest.mark.parametrize("error", [HostError("a host does not answer", where="ctl2"), KeyError("state")])
async def test_two_lost_rows_are_lost_whatever_breaks_afterwards(
    part: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = world(tmp_path, monkeypatch, part, error).site()
    result = await measuring.measure(site, FAULT, tmp_path, 3)
    assert (result.verdict, result.not_measured, result.run, result.candidates) == ("fail", "", 3, 3)
    assert "2 rows lost" in result.reasons
    assert any("went to its end" in reason for reason in result.reasons) is bool(part)


async def test_what_could_not_be_read_back_is_unknown_rather_than_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = world(tmp_path, monkeypatch, "reading", OSError("no route")).site()
    result = await measuring.measure(site, FAULT, tmp_path)
    assert any("reading back: OSError: no route" in reason for reason in result.reasons)
    assert result.writes == {}


async def test_a_load_that_cannot_run_measured_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = world(tmp_path, monkeypatch, "start", ProveError("the load cannot run")).site()
    with pytest.raises(ProveError, match="cannot run"):
        await measuring.measure(site, FAULT, tmp_path)


async def test_redundant_is_only_what_the_daemons_themselves_confirm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "STABLE_S", 0.0)
    monkeypatch.setattr(measuring, "LOOK_EVERY_S", 0.0)
    made = world(tmp_path, monkeypatch, "", OSError())
    made.against = [("brokers say that all run: ctl1 sees 2 of 3 run",)]
    site = replace(made.site(), lengths=Lengths(before=0.0, after=0.0, redundant_within=60.0))
    result = await measuring.measure(site, FAULT, tmp_path)
    assert result.redundant_again_s is not None
    assert "not yet redundant: brokers say that all run: ctl1 sees 2 of 3 run" in made.said
    made.against = [("brokers say that all run: ctl1 sees 2 of 3 run",)] * 1000
    site = replace(site, lengths=Lengths(before=0.0, after=0.0, redundant_within=0.5))
    assert (await measuring.measure(site, FAULT, tmp_path / "again")).redundant_again_s is None


async def test_a_second_client_behind_a_router_has_its_own_load_and_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = world(tmp_path, monkeypatch, "", OSError()).site()
    site = replace(site, functions=(*site.functions, "validate_through_router"), router=("ip", "netns", "exec", "x"))
    made, started = cast(Any, measuring.LoadProcess)(), []

    async def spec(_trial: object) -> SimpleNamespace:
        return SimpleNamespace(probes=("write_row",))

    def process(its: Any, _counts: object, inside: tuple[str, ...] = ()) -> World:
        started.append((its.probes, inside))
        if inside:
            with Log(tmp_path / ROUTED) as log:
                for n in range(20):
                    sent = n / 10
                    log.operation(Operation("validate_through_router", "fresh", sent, sent, sent + 0.01, "ok"))
        return made

    monkeypatch.setattr(measuring.Trial, "_spec", spec)
    monkeypatch.setattr(measuring.Trial, "_routed", lambda *_: SimpleNamespace(probes=site.routed))
    monkeypatch.setattr(measuring, "LoadProcess", process)
    result = await measuring.measure(site, FAULT, tmp_path)
    assert started == [(("write_row",), ()), (("validate_through_router",), ("ip", "netns", "exec", "x"))]
    assert [f.function for f in result.functions] == ["write_row", "validate_through_router"]
    assert result.functions[1].whole.sampled

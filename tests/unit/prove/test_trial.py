"""A strike within its measurement: where it is aimed, what is noted, and that one which nobody saw is not measured."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fournines.errors import HostError, ProveError
from fournines.prove import measure, outside
from fournines.prove.faults import injection, strike
from fournines.prove.faults.target import Standing
from fournines.prove.faults.text import parse
from fournines.prove.history import Log
from fournines.prove.model import Subject
from fournines.prove.site import Site
from fournines.prove.watch import Holders
from fournines.services import load
from samples import struck
from samples.struck import Struck

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(struck, "HOSTS", ("ctl1", "ctl2", "ctl3"))
    monkeypatch.setattr(strike, "SEEN_WITHIN_S", 0.05)
    monkeypatch.setattr(injection, "HEAL_AGAIN_S", 0.0)
    monkeypatch.setattr(measure, "THEN_S", 0.0)


class Trial:
    """`standings`: what is seen from outside at each strike."""

    def __init__(self, world: Struck, state: Path, monkeypatch: pytest.MonkeyPatch, *standings: Standing) -> None:
        self._world = world
        self._state = state
        self._standings = iter(standings)
        self._patch = monkeypatch

    async def strike(self, text: str) -> tuple[bool, dict[str, Any]]:
        """Whether it counts as a fault, and the events by name."""
        cloud = load(EXAMPLE)
        (fault,) = parse(text, cloud)

        async def seen(*_: object) -> Standing:
            return next(self._standings)

        self._patch.setattr(outside, "standing", seen)
        parts = SimpleNamespace(
            cloud=SimpleNamespace(
                state_dir=self._state,
                hosts_of=cloud.hosts_of,
                regions=cloud.regions,
                hosts=cloud.hosts,
                pattern=cloud.pattern,
                passive=cloud.passive,
            ),
            subject=Subject("acme", "lan"),
            region=cloud.regions["phx"],
            powers=self._world.powers(),
            reporter=SimpleNamespace(phase=lambda _text: None),
            now=asyncio.get_running_loop().time,
            functions=("validate",),
            busy=False,
        )
        directory = self._state / "01-lan-x"
        with Log(directory / "events.jsonl") as log:
            trial = measure.Trial(cast(Site, parts), fault, directory, log, 0)
            done = await trial._strike(0.0, Holders())
        lines = (directory / "events.jsonl").read_text().splitlines()
        return done, {e["name"]: e["data"] for e in map(json.loads, lines)}


async def test_a_fault_is_aimed_by_what_is_seen_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = Struck()
    done, events = await Trial(world, tmp_path, monkeypatch, Standing("ctl2", "ctl1")).strike("host.power_off@vip/10ms")
    assert done
    assert (events["began"]["hosts"], events["began"]["roles"]) == (["ctl2"], ["vip"])
    assert events["seen"]["what"] == ["ctl2: no process left"]
    assert list(events) == ["began", "injecting", "injected", "seen", "healed"]
    assert world.order == ["off ctl2", "on ctl2"]


@pytest.mark.parametrize("text", ["host.power_off@vip", "service.kill@keystone+vip", "network.isolate@vip/500ms"])
async def test_a_strike_that_nobody_saw_is_not_measured_and_healed(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Struck(inert=["ctl2"])
    done, events = await Trial(world, tmp_path, monkeypatch, Standing("ctl2", "ctl1")).strike(text)
    assert not done
    assert "not seen from outside" in events["not_measured"]["why"]
    assert "healed" in events
    assert not injection.note(tmp_path).exists()


async def test_nobody_to_strike_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, events = await Trial(Struck(), tmp_path, monkeypatch, Standing()).strike("host.power_off@vip")
    assert not done
    assert events["not_measured"]["why"] == "there is no host that is vip"
    assert "injecting" not in events


async def test_the_true_length_of_a_cut_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, events = await Trial(Struck(), tmp_path, monkeypatch, Standing("ctl2", "")).strike("network.isolate@vip/20ms")
    assert done
    assert events["seen"]["what"] == ["ctl2: cut for 0.500 s"]  # the last of two such events


async def test_the_second_of_two_is_aimed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = Struck()
    trial = Trial(world, tmp_path, monkeypatch, Standing("ctl1", "ctl1"), Standing("ctl2", "ctl3"))
    done, events = await trial.strike("host.power_off@vip/10ms then host.power_off@vip/10ms")
    assert done
    assert (events["began"]["hosts"], events["then"]["hosts"]) == (["ctl1"], ["ctl2"])
    assert world.order == ["off ctl1", "on ctl1", "off ctl2", "on ctl2"]


async def test_an_error_after_a_strike_that_was_seen_does_not_undo_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(_self: object) -> tuple[str, ...]:
        raise HostError("does not answer", where="ctl2")

    monkeypatch.setattr(injection.Injection, "hold", breaks)
    done, events = await Trial(Struck(), tmp_path, monkeypatch, Standing("ctl2", "")).strike("host.power_off@vip")
    assert done
    assert "does not answer" in events["hold_failed"]["why"]
    assert "not_measured" not in events


def site(run: Any = None) -> Site:
    cloud = load(EXAMPLE)
    return cast(Site, SimpleNamespace(cloud=cloud, region=cloud.regions["phx"], reach=SimpleNamespace(run=run)))


async def test_the_vip_is_where_arp_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "PATIENCE_S", 0.1)
    holders = Holders()
    holders.seen = {"internal": ("ctl3",), "public": ("ctl3",)}
    assert await outside.vip_holder(site(), holders) == "ctl3"
    holders.seen = {"internal": ("02:00:00:00:00:01",), "public": ("02:00:00:00:00:01",)}
    assert await outside.vip_holder(site(), holders) == ""
    holders.seen = {}
    assert await outside.vip_holder(site(), holders) == ""
    holders.seen = {"internal": ("ctl1",), "public": ("ctl3",)}
    with pytest.raises(ProveError, match="not on one host"):
        await outside.vip_holder(site(), holders)


async def test_where_arp_does_not_reach_the_kernels_are_asked() -> None:
    async def run(host: str, script: str, *, timeout: float) -> Any:
        assert "198.18.0.100/32" in script
        if host == "ctl1":
            raise HostError("does not answer", where=host)
        return SimpleNamespace(stdout="3: mgmt inet 198.18.0.100/32" if host == "ctl2" else "")

    holders = Holders()
    holders.unwatched = {"internal": "it is not on a network of this machine"}
    assert await outside.vip_holder(site(run), holders) == "ctl2"

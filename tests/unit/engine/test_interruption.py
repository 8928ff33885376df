"""Whatever the plan and wherever the run is cut, running it again ends in the same world."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.cloud.model import Cloud
from fournines.engine import survey
from fournines.engine.connect import Connected
from fournines.engine.fake import FakeHost
from fournines.plan.actions import PENDING
from fournines.services.resource import Step
from samples import toy

NAMES = ("alpha", "beta", "gamma")


class CutError(Exception):
    """The run ends here: power, network, Ctrl-C."""


# What a file restarts stays the same from one plan to the next: a cause that is new is no change of the file.
RESTARTS = st.shared(st.fixed_dictionaries({name: st.sampled_from(["", *NAMES]) for name in NAMES}), key="restarts")


@st.composite
def services(draw: st.DrawFn) -> dict[str, toy.Toy]:
    found: dict[str, toy.Toy] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3)):
        found[name] = toy.Toy(
            name,
            content=draw(st.sampled_from(["one", "two", None])),
            needs=tuple(found) if draw(st.booleans()) else (),
            rolling=draw(st.sampled_from(["together", "by-zone", "one-by-one"])),
            fronts=draw(st.booleans()),
            verb=draw(st.sampled_from(["restart", "reload"])),
            restarts=draw(RESTARTS)[name],
            extra=draw(st.booleans()),
        )
    return found


def fakes(hosts: Connected) -> list[FakeHost]:
    return [cast(FakeHost, host) for host in hosts.values()]


def cut_at(hosts: Connected, step: int | None) -> list[int]:
    """Ends the run before its `step`-th step, counted over all hosts; the list's only item counts."""
    count = [0]

    def before(host: FakeHost, planned: Step) -> None:
        if step is not None and count[0] >= step:
            raise CutError
        count[0] += 1

    for host in fakes(hosts):
        host.before_step = before
    return count


def state(hosts: Connected) -> object:
    return {host.host: (host.files, host.directories, host.units) for host in fakes(hosts)}


def well(made: Cloud, wanted: dict[str, toy.Toy], hosts: Connected) -> None:
    """Nothing is pending, and every unit has read its files since they last changed."""
    for host in fakes(hosts):
        assert not [path for path in host.files if path.startswith(PENDING)]
        for service in wanted.values():
            for resource in service.desired(made, made.host_by_name[host.host]):
                for trigger in resource.triggers:
                    unit = trigger.partition(":")[2]
                    if host.units.get(unit, ["inactive"])[0] == "active":
                        path = resource.key.removeprefix("file:")
                        assert host.started_with[unit].get(path) == host.files[path][0], (host.host, unit, path)


async def converge_from_every_cut(before: dict[str, toy.Toy], after: dict[str, toy.Toy], first_cut: int) -> None:
    made_before = toy.cloud({"h1": list(before), "h2": list(before)})
    made = toy.cloud({"h1": list(after), "h2": list(after), "h3": list(after)})
    start = toy.world(made)
    both = Connected()
    both.update({name: start[name] for name in ("h1", "h2")})
    # The world need not be one that a complete run left.
    cut_at(both, first_cut)
    with contextlib.suppress(CutError):
        await toy.bring_up(made_before, before, both)
    cut_at(start, None)

    whole = copy.deepcopy(start)
    steps = cut_at(whole, None)
    await toy.bring_up(made, after, whole)
    well(made, after, whole)
    assert (await survey(made, after, whole)).plan.empty

    for cut in range(steps[0]):
        hosts = copy.deepcopy(start)
        cut_at(hosts, cut)
        with contextlib.suppress(CutError):
            await toy.bring_up(made, after, hosts)
        cut_at(hosts, None)
        await toy.bring_up(made, after, hosts)
        assert state(hosts) == state(whole), f"cut before step {cut}"
        well(made, after, hosts)
        assert (await survey(made, after, hosts)).plan.empty


@settings(max_examples=60, deadline=None)
@given(services(), services(), st.integers(0, 40))
def test_cut_after_every_step_converges(before: dict[str, toy.Toy], after: dict[str, toy.Toy], first_cut: int) -> None:
    asyncio.run(converge_from_every_cut(before, after, first_cut))

"""What operators have asked of hosts is read from the hosts, and whoever plans next continues it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import cast

import pytest

from fournines.cloud import maintenance
from fournines.cloud.maintenance import Maintenance
from fournines.cloud.model import Cloud, Host
from fournines.engine import survey
from fournines.engine.connect import Connected
from fournines.engine.fake import FakeHost
from fournines.errors import PlanError
from fournines.services.resource import File, Resource, Step
from samples import toy

OLD, NEW = "2026-11-28T15:00:00Z", "2026-11-28T16:00:00Z"
DRAINED = {"h1": Maintenance(True, "new disks", OLD)}
UNDRAINED = {"h1": Maintenance(False, "new disks", NEW)}


class CutError(Exception):
    pass


@dataclass
class Kept(toy.Toy):
    """As `base` does: every host keeps all entries."""

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield File(maintenance.PATH, maintenance.dumps(cloud.maintenance))
        yield from super().desired(cloud, host)


@dataclass
class Balancer(toy.Toy):
    """Follows it in its own file, which it reloads."""

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield File("/etc/balancer/drained", " ".join(sorted(cloud.drained)), triggers=("reload:balancer.service",))
        yield from super().desired(cloud, host)


SERVICES = toy.registry(Kept("base"), Balancer("balancer", needs=("base",), verb="reload"))


@pytest.fixture
def cloud() -> Cloud:
    return toy.cloud({name: list(SERVICES) for name in ("h1", "h2", "h3")})


def told(hosts: Connected, name: str) -> str:
    return cast(FakeHost, hosts[name]).files["/etc/balancer/drained"][0].decode()


async def test_a_plan_made_without_knowing_leaves_a_drained_host_drained(cloud: Cloud) -> None:
    hosts = toy.world(cloud)
    await toy.bring_up(replace(cloud, maintenance=DRAINED), SERVICES, hosts)
    assert told(hosts, "h2") == "h1"
    found = await survey(cloud, SERVICES, hosts)
    assert found.plan.empty
    assert found.cloud.drained == {"h1"}


async def test_the_newest_entry_counts_whoever_has_it(cloud: Cloud) -> None:
    hosts = toy.world(cloud)
    await toy.bring_up(replace(cloud, maintenance=DRAINED), SERVICES, hosts)
    cast(FakeHost, hosts["h3"]).files[maintenance.PATH] = maintenance.dumps(UNDRAINED).encode(), 0o644
    await toy.bring_up(cloud, SERVICES, hosts)
    assert [told(hosts, name) for name in hosts] == ["", "", ""]
    # What this run was told, and the hosts know better by now, does not count.
    assert (await survey(replace(cloud, maintenance=DRAINED), SERVICES, hosts)).plan.empty


async def test_entries_of_hosts_that_are_gone_are_forgotten(cloud: Cloud) -> None:
    hosts = toy.world(cloud)
    await toy.bring_up(replace(cloud, maintenance=DRAINED), SERVICES, hosts)
    fewer = toy.cloud({name: list(SERVICES) for name in ("h2", "h3")})
    rest = Connected({name: hosts[name] for name in ("h2", "h3")})
    await toy.bring_up(fewer, SERVICES, rest)
    assert told(rest, "h2") == ""


async def test_a_damaged_file_is_named(cloud: Cloud) -> None:
    hosts = toy.world(cloud)
    cast(FakeHost, hosts["h2"]).files[maintenance.PATH] = b"{", 0o644
    with pytest.raises(PlanError, match="damaged") as error:
        await survey(cloud, SERVICES, hosts)
    assert error.value.where == f"h2:{maintenance.PATH}"


@pytest.mark.parametrize("then", [DRAINED, UNDRAINED])
async def test_cut_off_anywhere_after_it_was_noted_apply_continues_it(cloud: Cloud, then: maintenance.Entries) -> None:
    """Before it is on any host nothing has happened; from then on a plan of the file alone goes on with it."""
    start = toy.world(cloud)
    await toy.bring_up(replace(cloud, maintenance=DRAINED) if then is UNDRAINED else cloud, SERVICES, start)
    wanted = maintenance.dumps(then).encode()
    cut, whole = 0, False
    while not whole:
        hosts = copy.deepcopy(start)
        count = [0]

        def before(host: FakeHost, planned: Step, count: list[int] = count, cut: int = cut) -> None:
            if count[0] >= cut:
                raise CutError
            count[0] += 1

        for host in hosts.values():
            cast(FakeHost, host).before_step = before
        with contextlib.suppress(CutError):
            await toy.bring_up(replace(cloud, maintenance=then), SERVICES, hosts)
            whole = True
        for host in hosts.values():
            cast(FakeHost, host).before_step = lambda host, step: None
        noted = any(cast(FakeHost, host).files[maintenance.PATH][0] == wanted for host in hosts.values())
        await toy.bring_up(cloud, SERVICES, hosts)
        drained = "h1" if (then is DRAINED) == noted else ""
        assert [told(hosts, name) for name in hosts] == [drained] * 3, cut
        assert (await survey(cloud, SERVICES, hosts)).plan.empty
        cut += 1
    assert cut > 10

"""Drain and reboot: what is refused, what the hosts are then to be, and what is left after an interruption."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fournines.cloud import maintenance
from fournines.cloud.maintenance import Maintenance
from fournines.cloud.model import Cloud
from fournines.errors import PlanError, UsageError
from fournines.health.cluster import Cluster, RegionState, Unknown, regions
from fournines.health.problems import problems, warnings
from fournines.health.snapshot import HostState, parse
from fournines.operate import drain, reboot
from fournines.services import registry
from fournines.services.resource import File, Task
from fournines.timing import timers
from samples import cases
from samples.agents import HOSTS, well

WHEN = 1_795_878_000.0  # 2026-11-28 15:00 UTC
Document = dict[str, Any]


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return cases.Case(Path("none"), {"cloud": None}).cloud(tmp_path)


def states(cloud: Cloud, change: Callable[[str, Document], None] = lambda host, said: None) -> dict[str, HostState]:
    found: dict[str, HostState] = {}
    for number, host in enumerate(HOSTS):
        said = copy.deepcopy(well(host, number))
        units = [u for s in cloud.host_by_name[host].services for u in registry()[s].units_in(cloud)]
        said["units"] = {"units": {u: {"ActiveState": "active"} for u in units}}
        change(host, said)
        found[host] = parse(said, 0.5)
    return found


def seen(cloud: Cloud, found: dict[str, HostState] | None = None, gone: tuple[str, ...] = ()) -> RegionState:
    said: dict[str, HostState | Unknown] = {**(found or states(cloud))}
    said |= {name: Unknown(name, f"{name} does not answer", "", "") for name in gone}
    return next(regions(cloud, said))


def cluster(cloud: Cloud, region: RegionState) -> Cluster:
    return Cluster(cloud, (region,), tuple(problems(region)))


def of(document: Document, *path: str, value: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


def only(host: str, *path: str, value: Any) -> Callable[[str, Document], None]:
    return lambda name, said: of(said, *path, value=value) if name == host else None


def no_keystone(_: str, said: Document) -> None:
    of(said, "keystone", "ok", value=False)


def drained(cloud: Cloud, host: str = "ctl1", reason: str = "new disks") -> Cloud:
    return drain.drained(cloud, cloud.host_by_name[host], reason, WHEN, seen(cloud))


def resources(cloud: Cloud, service: str, host: str) -> dict[str, Any]:
    return {r.key: r for r in registry()[service].desired(cloud, cloud.host_by_name[host])}


def test_every_host_of_the_control_plane_is_told_and_each_balancer_sends_nothing_new(cloud: Cloud) -> None:
    after = drained(cloud)
    assert after.drained == {"ctl1"}
    assert cloud.drained == set()
    for host in HOSTS:
        told = resources(after, "base", host)[f"file:{maintenance.PATH}"]
        assert isinstance(told, File)
        assert maintenance.parse(told.content) == {"ctl1": Maintenance(True, "new disks", "2026-11-28T15:00:00Z")}
        config = resources(after, "haproxy", host)["file:/etc/haproxy/haproxy.cfg"].content
        lines = {line.split()[1]: line for line in config.splitlines() if line.strip().startswith("server ctl")}
        assert "weight 0" in lines["ctl1"]
        assert "weight 0" not in lines["ctl2"]
        assert "weight 0" not in lines["ctl1-unchecked"]  # the last resort
        database = config[config.index("listen mariadb") :].split("\n\n")[0].split("listen keystone")[0]
        assert "weight 0" not in database  # its writer is elected elsewhere


@pytest.mark.parametrize("service", ["keepalived", "mariadb", "rabbitmq"])
def test_what_must_leave_is_a_task_of_that_host_alone(cloud: Cloud, service: str) -> None:
    before, after = resources(cloud, service, "ctl1"), resources(drained(cloud), service, "ctl1")
    (more,) = [after[key] for key in after if key not in before]
    assert isinstance(more, Task)
    assert set(resources(drained(cloud), service, "ctl2")) == set(resources(cloud, service, "ctl2"))


def test_drain_and_undrain_leave_the_balancers_as_they_were(cloud: Cloud) -> None:
    after = drain.undrained(drained(cloud), cloud.host_by_name["ctl1"], WHEN)
    assert after.drained == set()
    path = "file:/etc/haproxy/haproxy.cfg"
    assert resources(after, "haproxy", "ctl2")[path] == resources(cloud, "haproxy", "ctl2")[path]
    # The same second, or a clock that is behind: the newest entry counts, so it must be newer.
    assert after.maintenance["ctl1"].since == "2026-11-28T15:00:01Z"
    again = drain.drained(after, cloud.host_by_name["ctl1"], "x", WHEN - 3600, seen(cloud))
    assert again.maintenance["ctl1"].since == "2026-11-28T15:00:02Z"


def test_the_same_drain_again_changes_nothing(cloud: Cloud) -> None:
    once = drained(cloud)
    assert drained(once) is once
    assert drained(once, reason="") is once
    assert drained(once, reason="other").maintenance["ctl1"].reason == "other"
    back = drain.undrained(once, cloud.host_by_name["ctl1"], WHEN)
    assert drain.undrained(back, cloud.host_by_name["ctl1"], WHEN) is back
    with pytest.raises(PlanError, match="ctl2 is not drained"):
        drain.undrained(once, cloud.host_by_name["ctl2"], WHEN)


def test_one_host_at_a_time(cloud: Cloud) -> None:
    with pytest.raises(PlanError, match="one host is drained at a time") as error:
        drained(drained(cloud), "ctl2")
    assert "new disks" in error.value.why
    assert error.value.next.endswith(" ctl1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (only("ctl2", "galera", "primary", value=False), "mariadb would have 1 of 3 members.*not Primary"),
        (only("ctl2", "galera", "local_state", value=2), "mariadb would have 1 of 3.*Donor"),
        (only("ctl3", "galera", "answered", value=None), "mariadb would have 1 of 3"),
        (only("ctl2", "rabbitmq", "ok", value=False), "rabbitmq would have 1 of 3"),
        (
            only("ctl2", "units", "units", "rabbitmq-server.service", "ActiveState", value="failed"),
            "rabbitmq would have 1 of 3 members, no majority; ctl2: rabbitmq-server.service is failed",
        ),
        (
            no_keystone,
            "nobody else could serve keystone; ctl2: does not answer",
        ),
    ],
)
def test_it_is_refused_when_the_rest_could_not_serve(
    cloud: Cloud, change: Callable[[str, Document], None], said: str
) -> None:
    with pytest.raises(PlanError, match="without ctl1") as error:
        drain.drained(cloud, cloud.host_by_name["ctl1"], "", WHEN, seen(cloud, states(cloud, change)))
    assert re.search(said, error.value.why)


def test_it_is_refused_while_another_host_is_away(cloud: Cloud) -> None:
    found = states(cloud)
    del found["ctl3"]
    with pytest.raises(PlanError) as error:
        drain.drained(cloud, cloud.host_by_name["ctl1"], "", WHEN, seen(cloud, found, ("ctl3",)))
    assert "ctl3 does not answer" in error.value.why
    assert "would vote for the VIP" in error.value.why


def test_the_ill_host_itself_may_be_drained(cloud: Cloud) -> None:
    unhealthy = states(cloud, only("ctl1", "galera", "primary", value=False))
    assert drain.drained(cloud, cloud.host_by_name["ctl1"], "", WHEN, seen(cloud, unhealthy)).drained == {"ctl1"}


def test_status_says_who_is_drained_why_and_since_when_and_is_healthy(cloud: Cloud) -> None:
    entry = {"ctl1": {"drained": True, "reason": "new disks", "since": "2026-11-28T15:00:00Z"}}
    region = seen(cloud, states(cloud, only("ctl2", "maintenance", value=entry)))
    assert problems(region) == []
    (warning,) = warnings(region, timers(cloud))
    assert warning.where == "ctl1"
    assert warning.what == "drained since 2026-11-28T15:00:00Z: new disks"


def test_targets_of_a_reboot(cloud: Cloud) -> None:
    assert [h.name for h in reboot.targets(cloud, "ctl2")] == ["ctl2"]
    assert [h.name for h in reboot.targets(cloud, "rack3")] == ["ctl3"]
    assert len(reboot.targets(cloud, "all")) == 3
    with pytest.raises(UsageError, match="no host and no zone rack9"):
        reboot.targets(cloud, "rack9")


def test_the_holder_and_the_writer_reboot_last(cloud: Cloud) -> None:
    now = cluster(cloud, seen(cloud))  # ctl1 holds the VIPs, ctl2 takes the writes
    assert [h.name for h in reboot.queue(cloud.hosts, cloud, now)] == ["ctl3", "ctl1", "ctl2"]


def test_an_interrupted_reboot_goes_on_with_what_is_left(cloud: Cloud) -> None:
    now = cluster(cloud, seen(cloud))
    begun = reboot.asked(cloud, {"ctl1": "b1", "ctl2": "b2", "ctl3": "b3"}, WHEN)
    assert begun.drained == set()
    one = drain.drained(begun, cloud.host_by_name["ctl3"], "kernel", WHEN, now.regions[0])
    assert one.maintenance["ctl3"] == Maintenance(True, "kernel", "2026-11-28T15:00:01Z", "b3")
    # Cut off here: asked again, in another boot of ctl3, it is still the boot of before that had to end.
    again = reboot.asked(one, {"ctl1": "b1", "ctl2": "b2", "ctl3": "b4"}, WHEN)
    assert again.maintenance["ctl3"].boot == "b3"
    assert [h.name for h in reboot.queue(cloud.hosts, again, now)] == ["ctl3", "ctl1", "ctl2"]
    done = reboot.finished(again, cloud.host_by_name["ctl3"], WHEN)
    assert done.drained == set()
    assert [h.name for h in reboot.queue(cloud.hosts, done, now)] == ["ctl1", "ctl2"]


def test_a_host_that_is_drained_for_something_else_is_not_rebooted(cloud: Cloud) -> None:
    after = drained(cloud)
    with pytest.raises(PlanError, match="ctl1 is drained already") as error:
        reboot.queue(after.hosts, after, cluster(after, seen(after)))
    assert "undrain" in error.value.next


def test_a_cloud_is_whole_when_nothing_is_wrong_and_nothing_starts(cloud: Cloud) -> None:
    assert reboot.not_whole(cluster(cloud, seen(cloud))) == ()
    starting = states(cloud, only("ctl3", "starting", value=True))
    assert reboot.not_whole(cluster(cloud, seen(cloud, starting))) == ("ctl3: still starts",)
    away = {name: state for name, state in states(cloud).items() if name != "ctl3"}
    assert any("ctl3" in line for line in reboot.not_whole(cluster(cloud, seen(cloud, away, ("ctl3",)))))


def test_hosts_that_are_no_control_plane_keep_their_own_entry_alone(cloud: Cloud) -> None:
    region = cloud.regions["phx"]
    compute = replace(region.hosts[0], name="cmp1", services=frozenset({"base", "agent"}), roles=("compute",))
    wider = replace(cloud, regions={"phx": replace(region, hosts=(*region.hosts, compute))})
    entries = {name: Maintenance(True, "", "2026-11-28T15:00:00Z") for name in ("ctl1", "cmp1")}
    wider = replace(wider, maintenance=entries)
    of_compute = resources(wider, "base", "cmp1")[f"file:{maintenance.PATH}"].content
    assert set(maintenance.parse(of_compute)) == {"cmp1"}
    assert set(maintenance.parse(resources(wider, "base", "ctl2")[f"file:{maintenance.PATH}"].content)) == set(entries)

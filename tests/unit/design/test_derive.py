"""A function's condition follows from what services declare and where hosts stand, whatever the services are called."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.main import cli
from fournines.cloud.model import Cloud
from fournines.design import why
from fournines.design.condition import Condition
from fournines.design.derive import MOST_TOLD_APART, conditions, functions, require
from fournines.errors import FourninesError, UsageError
from fournines.services import in_order, load
from fournines.services import registry as shipped
from fournines.services.capabilities import Function, Provides
from fournines.services.service import HaPattern
from samples.clouds import TIERS, tiered
from samples.toy import Toy, cloud, registry

EXAMPLES = Path(__file__).parents[3] / "examples"
QUORUM, ANY, PER_HOST = HaPattern.QUORUM, HaPattern.ACTIVE_ACTIVE, HaPattern.PER_HOST


@dataclass
class Giver(Toy):
    functions: tuple[Function, ...] = ()


@dataclass
class Cache(Toy):
    dispensable: str = "slower"


SERVICES = registry(
    Toy("voice", pattern=PER_HOST),
    Toy("store", pattern=QUORUM, needs=("voice",)),
    Cache("cache"),
    Toy("front", fronts=True, needs=("store", "bus")),
    Toy("bus", pattern=QUORUM, needs=("voice",)),
    Giver("api", needs=("store", "cache", "front"), functions=(Function("ask", "asks"),)),
    Toy("worker", pattern=PER_HOST, needs=("voice",)),
    Giver("boot", needs=("api", "bus"), functions=(Function("start", "starts", needs=("worker",)),)),
    Giver("router", pattern=PER_HOST, needs=("bus",), functions=(Function("route", "routes", data_plane=True),)),
)
EVERYTHING = ("voice", "store", "cache", "front", "bus", "api", "boot", "router")


def made(**extra: tuple[str, ...]) -> Cloud:
    return cloud({"a": EVERYTHING, "b": EVERYTHING, "c": EVERYTHING, "w": ("voice", "worker"), **extra})


def of(made: Cloud, function: str) -> Condition:
    (found,) = require(made, function, SERVICES)
    return found


def needed(condition: Condition) -> dict[str, tuple[int, int]]:
    return {r.name: (r.least, r.total) for r in condition.requirements}


def test_needs_are_followed_and_a_front_is_not_one_of_its_backends() -> None:
    assert needed(of(made(), "ask")) == {"store": (2, 3), "front": (1, 3), "api": (1, 3)}


def test_what_a_function_needs_beyond_its_provider_is_followed_too() -> None:
    condition = of(made(), "start")
    assert needed(condition) == {
        "store": (2, 3), "front": (1, 3), "bus": (2, 3), "api": (1, 3), "worker": (1, 1), "boot": (1, 3),
    }  # fmt: skip
    worker = next(r for r in condition.requirements if r.name == "worker")
    assert worker.needed_by == ("boot",)
    assert [p.key for p in worker.copies[0].parts] == [
        "host:w",
        "zone:r1/zone-w",
        "process:worker@w",
        "process:voice@w",
    ]


def test_what_can_be_done_without_is_said_and_not_needed() -> None:
    assert of(made(), "ask").without == (("cache", "slower"),)


def test_a_data_plane_needs_its_hosts_alone() -> None:
    condition = of(made(), "route")
    assert needed(condition) == {"router": (1, 3)}
    assert {c.kind for c in condition.components} == {"region", "host", "zone"}


def test_a_missing_service_stops_the_function_for_good() -> None:
    condition = of(cloud({"a": ("api", "front", "voice")}), "ask")
    assert condition.missing == ("store",)
    assert not condition.works(())


def test_a_condition_fails_exactly_when_too_few_copies_are_left() -> None:
    condition = of(made(), "ask")
    assert condition.works({"host:a"})
    assert condition.works({"process:api@a", "process:api@b"})
    assert condition.stopped_by({"host:a", "process:voice@b"}) == ("store",)
    assert condition.stopped_by({f"process:api@{h}" for h in "abc"}) == ("api",)
    assert condition.stopped_by({"region:r1"}) == ("r1",)


def test_many_alike_hosts_of_a_zone_are_one_line() -> None:
    many = {f"w{i}": ("voice", "worker") for i in range(MOST_TOLD_APART + 1)}
    condition = of(cloud({"a": EVERYTHING, **many}, zones=dict.fromkeys(many, "rack")), "start")
    (workers,) = (r for r in condition.requirements if r.name == "worker")
    assert [(c.host, c.count, [p.key for p in c.parts]) for c in workers.copies] == [("w0", 9, ["zone:r1/rack"])]
    assert [p.kind for p in workers.copies[0].alike] == ["host", "process", "process"]
    assert condition.stopped_by({"zone:r1/rack"}) == ("worker",)


def test_hosts_share_the_power_and_switch_of_their_zones() -> None:
    (condition, _) = conditions(load(EXAMPLES / "racks-and-computes.yaml"))
    database = next(r for r in condition.requirements if r.name == "mariadb")
    keys = [p.key for p in database.copies[1].parts]
    assert keys[:4] == ["host:ctl2", "zone:quay/b1", "power:quay/feed-b", "switch:quay/leaf-3"]


def test_the_vips_holder_has_a_balancer_beside_it_and_a_majority_behind_it() -> None:
    (condition, _) = conditions(load(EXAMPLES / "three-controllers.yaml"))
    needs = {r.name: r for r in condition.requirements}
    assert "haproxy" not in needs and "rabbitmq" not in needs
    assert [p.service for p in needs["keepalived"].copies[0].parts if p.service] == ["keepalived", "haproxy"]
    assert needs["the VIP's vote"].least == 2


@pytest.mark.parametrize(
    ("example", "service"), [("two-controllers-witness", "mariadb"), ("active-passive-two-nodes", "corosync")]
)
def test_a_witness_counts_in_the_quorum_that_it_arbitrates(example: str, service: str) -> None:
    """One controller's loss leaves a majority: the controller that is left, and the witness."""
    (condition, _) = conditions(load(EXAMPLES / f"{example}.yaml"))
    (need,) = (r for r in condition.requirements if r.name == service)
    assert (need.least, [c.host for c in need.copies]) == (2, ["ctl1", "ctl2", "wit1"])


def test_without_a_lease_there_is_no_vote(tmp_path: Path) -> None:
    text = (EXAMPLES / "three-controllers.yaml").read_text().replace("profile: lan", "profile: kolla-22.2")
    (tmp_path / "cloud.yaml").write_text(text)
    (condition, _) = conditions(load(tmp_path / "cloud.yaml"))
    assert "the VIP's vote" not in {r.name for r in condition.requirements}


def test_shipped_functions_need_services_that_exist_and_have_one_provider() -> None:
    given = [f for s in shipped().values() if isinstance(s, Provides) for f in s.functions]
    assert len(given) == len({f.name for f in given}) == len(functions(shipped()))
    assert {n for f in given for n in f.needs} <= set(shipped())


@pytest.mark.parametrize(("storage", "devices", "least"), [(3, 1, 2), (4, 1, 2), (2, 1, 1), (1, 3, 1), (3, 2, 1)])
def test_swift_writes_what_a_majority_of_the_replicas_took_and_reads_any(
    tmp_path: Path, storage: int, devices: int, least: int
) -> None:
    """Replicas: as many as devices, at most three. A hand-off on another device of a host counts."""
    text = tiered(regions=1, racks=4, computes=4, tiers={**TIERS, "storage": storage})
    rings = f"{{rings: {{devices: {{{', '.join(f'd{i}: 100' for i in range(devices))}}}}}}}"
    (tmp_path / "cloud.yaml").write_text(f"{text}services: {{swift_storage: {{options: {rings}}}}}\n")
    found = {c.name: {r.name: r.least for r in c.requirements} for c in conditions(load(tmp_path / "cloud.yaml"))}
    for writes in ("upload_image", "store_object", "create_metric"):
        assert found[writes]["swift_storage"] == least
    for reads in ("download_image", "read_object", "boot_server", "list_metrics"):
        assert found[reads]["swift_storage"] == 1


def test_a_circle_of_needs_is_an_error_that_shows_it() -> None:
    with pytest.raises(FourninesError, match="circle") as caught:
        in_order(registry(Toy("one", needs=("two",)), Toy("two", needs=("one",))))
    assert "one needs two needs one" in str(caught.value) or "two needs one needs two" in str(caught.value)


def test_a_function_that_nobody_provides() -> None:
    with pytest.raises(UsageError, match="no service provides the function asks") as caught:
        require(made(), "asks", SERVICES)
    assert caught.value.next == "did you mean ask?"
    with pytest.raises(UsageError, match="no region of toy has the function ask"):
        require(cloud({"a": ("voice",)}), "ask", SERVICES)


@pytest.mark.parametrize("example", ["full-cloud", "split-groups"])
def test_every_need_leads_back_to_the_user(example: str) -> None:
    for condition in conditions(load(EXAMPLES / f"{example}.yaml")):
        reasons = {r.name: r.needed_by for r in condition.requirements}
        assert [name for name, because in reasons.items() if not because] == [condition.provider]
        TopologicalSorter(reasons).prepare()  # raises CycleError


def test_the_tree_is_drawn() -> None:
    assert list(why.tree(of(cloud({"a": EVERYTHING}), "ask"))) == [
        "ask in r1: a user asks, while all of these hold",
        "├─ region r1, network management stand",
        "├─ store: the only one (quorum; api needs it)",
        "│  └─ a: zone zone-a; store and voice run",
        "├─ front: the only one (active/active; api needs it)",
        "│  └─ a: zone zone-a; front runs",
        "├─ api: the only one (active/active)",
        "│  └─ a: zone zone-a; api runs",
        "└─ not cache: slower",
    ]


def test_the_command() -> None:
    file = str(EXAMPLES / "three-controllers.yaml")
    shown = CliRunner().invoke(cli, ["design", "why", file, "list-projects"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "├─ mariadb: 2 of 3 (quorum; keystone needs it)" in shown.output
    every = CliRunner().invoke(cli, ["design", "why", file], catch_exceptions=False).output
    assert "authenticate in phx" in every and "list_projects in phx" in every

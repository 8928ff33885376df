"""Who votes on the VIP's holder, and who has a guard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fournines.cloud.model import Cloud
from fournines.services import load
from fournines.services.capabilities import MOST_VOTERS, guards, members, voting
from samples import cases

HOLDS, WITNESS, DATABASE = "can hold the VIP", "witness", "member of the database's quorum"


def cloud(tmp_path: Path, **hosts: dict[str, Any] | None) -> Cloud:
    """examples/three-controllers.yaml with other hosts."""
    return cases.Case(Path("none"), {"cloud": {"regions": {"phx": {"hosts": hosts}}}}).cloud(tmp_path)


def many(count: int, *roles: str, zone: str = "rack1", first: int = 30) -> dict[str, dict[str, Any]]:
    return {
        f"{roles[0]}{n}": {"zone": zone, "address": f"198.18.0.{first + n}", "roles": list(roles)} for n in range(count)
    }


def test_three_controllers(tmp_path: Path) -> None:
    assert voting(cloud(tmp_path), "phx") == dict.fromkeys(("ctl1", "ctl2", "ctl3"), HOLDS)


def test_storage_hosts_have_no_say(tmp_path: Path) -> None:
    """Three controllers and twelve of them were once a group of fifteen, and eight dead disks took the VIP."""
    made = cloud(tmp_path, **many(12, "storage"), **many(3, "compute", first=60))
    assert list(voting(made, "phx")) == ["ctl1", "ctl2", "ctl3"]
    assert [h.name for h in guards(made, "phx")] == ["ctl1", "ctl2", "ctl3"]


def test_two_endpoints_are_filled_up_from_the_database_in_another_zone() -> None:
    made = load(Path(__file__).parents[3] / "examples/split-groups.yaml")
    votes = voting(made, "sea")
    assert list(votes.values()) == [HOLDS, HOLDS, DATABASE]
    assert len({made.host_by_name[name].zone.name for name in votes}) == 3
    assert {h.name for h in members(made, "sea", "mariadb")} <= {h.name for h in guards(made, "sea")}


def test_two_controllers_and_a_witness(tmp_path: Path) -> None:
    made = cloud(tmp_path, ctl3=None, wit1={"zone": "rack3", "address": "198.18.0.19", "roles": ["witness"]})
    assert voting(made, "phx") == {"ctl1": HOLDS, "ctl2": HOLDS, "wit1": WITNESS}
    assert [h.name for h in members(made, "phx", "mariadb")] == ["ctl1", "ctl2", "wit1"]
    assert [h.name for h in guards(made, "phx")] == ["ctl1", "ctl2", "wit1"]


def test_two_controllers_alone(tmp_path: Path) -> None:
    assert voting(cloud(tmp_path, ctl3=None), "phx") == dict.fromkeys(("ctl1", "ctl2"), HOLDS)


@pytest.mark.parametrize("count", [5, 9])
def test_more_endpoints_than_are_useful(tmp_path: Path, count: int) -> None:
    """The controllers leave the VIP to the hosts of their own that it is given."""
    made = cloud(tmp_path, **many(count, "endpoint"))
    votes = voting(made, "phx")
    candidates = {h.name for h in made.hosts_of("keepalived", "phx")}
    assert len(candidates) == count
    assert dict.fromkeys(votes.values()) == {HOLDS: None}
    assert len(votes) == min(count, MOST_VOTERS)
    assert candidates <= {h.name for h in guards(made, "phx")}  # those without a vote can hold it all the same


@pytest.mark.parametrize(("endpoints", "wanted"), [(1, 3), (2, 3), (3, 3), (4, 5), (6, 7), (8, 7)])
def test_the_number_of_voters_is_odd_where_the_database_has_hosts_to_spare(
    tmp_path: Path, endpoints: int, wanted: int
) -> None:
    made = cloud(tmp_path, **many(endpoints, "endpoint"), **many(3, "database", first=50))
    assert len(voting(made, "phx")) == wanted

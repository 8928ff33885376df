"""What the observer makes of crm_mon's words, as Pacemaker 3.0.0 writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fournines.agent.observer import pacemaker

TEXT = (Path(__file__).parent / "crm_mon.xml").read_text()


@pytest.fixture
def said() -> dict[str, Any]:
    return pacemaker.parse(TEXT)


def test_the_cluster(said: dict[str, Any]) -> None:
    assert (said["dc"], said["quorum"], said["fencing"], said["maintenance"]) == ("ctl1", True, True, False)
    assert said["members"] == {"ctl1": "online"}


def test_resources_know_what_they_are_part_of_and_where_they_run(said: dict[str, Any]) -> None:
    seen = {r["name"]: (r["in"], r["role"], r["on"]) for r in said["resources"]}
    assert seen["fournines-vip-public"] == ("fournines-vips", "Started", ["ctl1"])
    assert seen["fournines-haproxy-health"] == ("fournines-haproxy-health-clone", "Started", ["ctl1"])
    assert seen["fournines-fence-ctl2"] == ("", "Stopped", [])


def test_failed_actions_and_fencing(said: dict[str, Any]) -> None:
    assert [f["operation"] for f in said["failures"]] == [
        "fournines-fence-ctl3_start_0",
        "fournines-fence-ctl2_start_0",
    ]
    assert [(f["host"], f["action"], f["outcome"], f["by"]) for f in said["history"]] == [
        ("ctl2", "reboot", "success", "ctl3"),
        ("ctl3", "off", "failed", "ctl1"),
    ]
    assert said["history"][1]["reason"] == "No such device"


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ('online="true"', 'online="false"'),
        ('unclean="false"', 'unclean="true"'),
        ('standby="false"', 'standby="true"'),
        ('pending="false"', 'pending="true"'),
    ],
)
def test_a_member_is_said_to_be_the_worst_that_it_is(change: str, state: str) -> None:
    word = {"online": "offline"}.get(state.split("=", maxsplit=1)[0], state.split("=", maxsplit=1)[0])
    assert pacemaker.parse(TEXT.replace(change, state))["members"] == {"ctl1": word}


def test_no_cluster_is_no_state() -> None:
    refused = '<pacemaker-result><status code="102" message="Not connected"/></pacemaker-result>'
    with pytest.raises(OSError, match="Not connected"):
        pacemaker.parse(refused)

"""What a cluster's own words amount to: who waits for whom, and what to type."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fournines.agent.observer.pacemaker import parse as observed
from fournines.cli import status_show
from fournines.cloud.model import Cloud
from fournines.engine.transport import Completed
from fournines.health import pacemaker
from fournines.health.document import document
from fournines.health.look import look
from fournines.services import load
from samples.agents import HOSTS, FakeHost, well

EXAMPLE = Path(__file__).parents[3] / "examples" / "pacemaker-vip.yaml"
MON = (Path(__file__).parents[1] / "agent" / "crm_mon.xml").read_text()


def healthy() -> dict[str, Any]:
    """As three members of a cluster in which nothing is wrong see it."""
    said = observed(MON)
    said |= {"ok": True, "error": "", "at": 1.0, "failures": [], "history": []}
    said["members"] = dict.fromkeys(HOSTS, "online")
    for number, resource in enumerate(said["resources"]):
        resource |= {"role": "Started", "on": resource["on"] or [HOSTS[number % 3]]}
    return said


def found(**changes: Any) -> list[tuple[str, str]]:
    said = {**healthy(), **changes}
    return [(what, where) for what, where, _ in pacemaker.problems("CLOUD", {"ctl1": pacemaker.parse(said)})]


def event(outcome: str, reason: str = "") -> dict[str, str]:
    return {"host": "ctl2", "action": "reboot", "outcome": outcome, "by": "ctl3", "at": "then", "reason": reason}


def resources(name: str, **changes: Any) -> list[dict[str, Any]]:
    made = copy.deepcopy(healthy()["resources"])
    for resource in made:
        if resource["name"] == name:
            resource.update(changes)
    return made


UNCLEAN = {"ctl1": "online", "ctl2": "unclean", "ctl3": "online"}
WAITS = "what ran on it starts nowhere until it is fenced"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"quorum": False}, [("the cluster has no quorum: what it manages is stopped", "")]),
        ({"dc": ""}, [("the cluster has no designated controller: nothing is decided", "")]),
        ({"fencing": False}, [("fencing is switched off: a host that is only silent may go on", "")]),
        ({"maintenance": True}, [("the cluster is in maintenance: it does nothing", "")]),
        ({"members": UNCLEAN}, [(f"is silent and not known to be off: {WAITS}", "ctl2")]),
        ({"members": UNCLEAN, "history": [event("pending")]}, [(f"is being fenced by ctl3: {WAITS}", "ctl2")]),
        (
            {"members": UNCLEAN, "history": [event("failed", "No such device"), event("success")]},
            [(f"cannot be fenced (No such device): {WAITS}", "ctl2")],
        ),
        ({"members": {**UNCLEAN, "ctl2": "offline"}}, [("is not in the cluster", "ctl2")]),
        ({"members": {**UNCLEAN, "ctl2": "standby"}}, [("is in standby: it runs nothing of the cluster", "ctl2")]),
        (
            {"resources": resources("fournines-vip-public", role="Stopped", on=[])},
            [("fournines-vip-public runs nowhere", "")],
        ),
        ({"resources": resources("fournines-haproxy-health", role="Stopped", on=[])}, []),
        (
            {"resources": resources("fournines-vip-public", on=["ctl1", "ctl2"])},
            [("fournines-vip-public runs on ctl1 and ctl2 at once", "")],
        ),
        (
            {"resources": resources("fournines-vip-public", blocked=True)},
            [("the cluster no longer touches fournines-vip-public", "ctl1")],
        ),
        (
            {"failures": [{"operation": "fournines-vip-public_start_0", "host": "ctl2", "reason": "no nic", "at": ""}]},
            [("fournines-vip-public_start_0 failed: no nic", "ctl2")],
        ),
    ],
)
def test_what_is_said(changes: dict[str, Any], said: list[tuple[str, str]]) -> None:
    assert found(**changes) == said


def test_a_cluster_in_two_parts_is_seen_by_who_controls_them() -> None:
    one, other = healthy(), {**healthy(), "dc": "ctl3", "quorum": False}
    states = {"ctl3": pacemaker.parse(other), "ctl1": pacemaker.parse(one)}
    view = pacemaker.view(states)
    assert view is not None and view.dc == "ctl1"
    assert [what for what, _, _ in pacemaker.problems("CLOUD", states)] == [
        "the cluster is split: ctl1 and ctl3 each control a part of it"
    ]


@pytest.fixture
def cloud() -> Cloud:
    return load(EXAMPLE)


async def test_status_shows_the_cluster_and_its_document_has_all_of_it(cloud: Cloud) -> None:
    hosts: dict[str, FakeHost] = {}
    for number, name in enumerate(HOSTS):
        said = well(name, number) | {"pacemaker": {**healthy(), "history": [event("success")]}}
        hosts[name] = FakeHost(name, Completed(0, f"1000.5\n{json.dumps(said)}", ""))
    seen = await look(cloud, hosts, {})
    assert seen.problems == ()
    console = Console(width=160, record=True)
    with console.capture() as capture:
        console.print(status_show._whole(seen))  # pyright: ignore[reportPrivateUsage]
    text = capture.get()
    assert "Pacemaker  DC ctl1, quorum, 3 of 3 members online" in text
    assert "fournines-vip-internal" in text and "Fencing, the latest first" in text
    said = document(seen)["regions"]["phx"]["hosts"]["ctl1"]["pacemaker"]
    assert said["dc"] == "ctl1" and said["history"][0]["outcome"] == "success"

"""The kinds of jobs there are. One entry here is a route of the API, an entry of its OpenAPI document, and a form
of the dashboard; `run` is what the worker process calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fournines.web.roles import Role

if TYPE_CHECKING:
    from fournines.cloud.model import Cloud
    from fournines.web.work import Work


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OfHosts(Arguments):
    hosts: Annotated[
        list[str], Field(max_length=20_000, title="Hosts", description="Only these; none named: all.")
    ] = []


class OfPlan(Arguments):
    plan: Annotated[
        str, Field(pattern=r"^[0-9TZ]+-[a-z0-9-]+$", title="Plan", description="The job that made the plan, as shown.")
    ]


class OfSmoke(Arguments):
    region: Annotated[str | None, Field(title="Region", description="Where there are several.")] = None
    only: Annotated[list[str], Field(title="Steps", description="Only these, and what they build on.")] = []
    timeout: Annotated[
        float, Field(gt=0, le=3600, title="Timeout, s", description="That anything may take to become ready.")
    ] = 180.0


class OfProve(Arguments):
    faults: Annotated[
        str, Field(max_length=20_000, title="Faults", description="NAME@TARGET, separated by commas; or each, all.")
    ] = ""
    suite: Annotated[
        Literal["", "smoke", "standard", "full"], Field(title="Suite", description="Instead of faults.")
    ] = ""
    duration: Annotated[str, Field(max_length=20, title="Duration", description="Of faults that are healed: 20s.")] = ""
    baseline: Annotated[
        Literal["", "kolla-22.2", "osa-33", "ha-guide"],
        Field(title="Baseline", description="Also under a peer's timing."),
    ] = ""
    repeat: Annotated[int, Field(ge=1, le=100, title="Repeat", description="Measure every fault so often.")] = 1
    region: Annotated[str | None, Field(title="Region", description="Where there are several.")] = None
    force: Annotated[bool, Field(title="Force", description="Also on a cloud that is not healthy.")] = False
    confirm: Annotated[
        str, Field(max_length=200, title="Cloud's name", description="Typed, where the hosts are not a lab's.")
    ] = ""


class OfRotate(Arguments):
    what: Annotated[str, Field(max_length=500, title="What, or several, or all")] = "all"
    dry_run: Annotated[bool, Field(title="Show the plans only")] = False


class OfPower(Arguments):
    host: Annotated[str, Field(min_length=1, max_length=253, title="Host")]
    action: Annotated[Literal["on", "off", "reset"], Field(title="Action")]


class OfHost(Arguments):
    host: Annotated[str, Field(min_length=1, max_length=253, title="Host")]
    dry_run: Annotated[bool, Field(title="Show the plan only")] = False


class OfDrain(OfHost):
    reason: Annotated[str, Field(max_length=200, title="Why", description="Shown for as long as it is drained.")] = ""


class OfReboot(Arguments):
    target: Annotated[str, Field(min_length=1, max_length=253, title="Host, zone, or all")]
    reason: Annotated[str, Field(max_length=200, title="Why", description="Shown meanwhile.")] = "reboot"
    dry_run: Annotated[bool, Field(title="Show the order and the first plan only")] = False


@dataclass(frozen=True)
class Kind:
    """locks: it takes the cloud's lock. confirm: what the page asks first, "" for nothing. form: offered among the
    operations; others have a page of their own."""

    name: str
    title: str
    what: str
    role: Role
    arguments: type[Arguments]
    run: Callable[[Cloud, Any, Work], Mapping[str, Any]]
    locks: bool = True
    confirm: str = ""
    form: bool = False


def _plan(cloud: Cloud, asked: OfHosts, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks

    return tasks.plan(cloud, asked.hosts, work)


def _apply(cloud: Cloud, asked: OfPlan, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks

    return tasks.apply(cloud, asked.plan, work)


def _smoke(cloud: Cloud, asked: OfSmoke, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks

    return tasks.smoke(cloud, asked, work)


def _prove(cloud: Cloud, asked: OfProve, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks_prove

    return tasks_prove.prove(cloud, asked, work)


def _rotate(cloud: Cloud, asked: OfRotate, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks

    return tasks.rotate(cloud, asked, work)


def _drain(cloud: Cloud, asked: OfDrain, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks_operate

    return tasks_operate.drain(cloud, asked, work)


def _undrain(cloud: Cloud, asked: OfHost, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks_operate

    return tasks_operate.undrain(cloud, asked, work)


def _reboot(cloud: Cloud, asked: OfReboot, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks_operate

    return tasks_operate.reboot(cloud, asked, work)


def _power(cloud: Cloud, asked: OfPower, work: Work) -> Mapping[str, Any]:
    from fournines.web import tasks

    return tasks.power(cloud, asked, work)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("plan", "Plan", "What apply would change, host by host.", "operator", OfHosts, _plan, locks=False),
        Kind(
            "apply",
            "Apply",
            "Carry out a plan that was shown, exactly as it is; refused when the hosts are no longer what they were.",
            "admin",
            OfPlan,
            _apply,
            confirm="Apply this plan?",
        ),
        Kind(
            "smoke",
            "Smoke test",
            "Use every service once, as a user does, and clean up.",
            "operator",
            OfSmoke,
            _smoke,
            form=True,
        ),
        Kind(
            "prove",
            "Prove",
            "Inject faults, measure the outage that a client sees, check that nothing is lost.",
            "admin",
            OfProve,
            _prove,
            confirm="Inject these faults? Clients will feel them.",
        ),
        Kind(
            "drain",
            "Drain",
            "Move a host's load to the others, and keep it away. Refused when the rest could not serve.",
            "admin",
            OfDrain,
            _drain,
            confirm="Drain this host?",
            form=True,
        ),
        Kind(
            "undrain",
            "Undrain",
            "Let a drained host carry load again.",
            "admin",
            OfHost,
            _undrain,
            confirm="Let this host carry load again?",
            form=True,
        ),
        Kind(
            "reboot",
            "Reboot",
            "Hosts one after another: drained, rebooted, fully redundant again, undrained. Asked again, it continues.",
            "admin",
            OfReboot,
            _reboot,
            confirm="Reboot these hosts, one after another?",
            form=True,
        ),
        Kind(
            "rotate",
            "Rotate secrets",
            "New passwords, keys and certificates, in phases in which the old and the new are valid.",
            "admin",
            OfRotate,
            _rotate,
            confirm="Rotate these secrets?",
            form=True,
        ),
        Kind(
            "power",
            "Power",
            "Press the power switch of a host of a lab.",
            "admin",
            OfPower,
            _power,
            locks=False,
            confirm="Press the power switch of this host?",
            form=True,
        ),
    )
}

"""What a smoke test is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fournines.cloud.model import Cloud, Region

#: Everything that a run makes is named so; whatever has such a name is a run's, and may be removed.
PREFIX = "fournines-smoke"
#: A stack that takes nothing but Heat.
TEMPLATE: dict[str, Any] = {
    "heat_template_version": "2018-08-31",
    "resources": {"word": {"type": "OS::Heat::RandomString", "properties": {"length": 12}}},
    "outputs": {"word": {"value": {"get_attr": ["word", "value"]}}},
}
#: On each of the dashboard's pages, if it knows who asks.
SIGNED_IN = "/auth/logout/"

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Result:
    """`said`: of a passed step what came of it, else why. `seconds` that it took."""

    name: str
    outcome: Outcome
    seconds: float
    said: str


@dataclass
class Site:
    """The cloud as one user sees it. `connection` is openstacksdk's; `made` is what earlier steps leave for later ones.

    timeout: seconds that anything may take to become what it should. prefix: begins the name of all that is made.
    """

    cloud: Cloud
    region: Region
    connection: Any
    ca: Path
    timeout: float = 180.0
    prefix: str = PREFIX
    made: dict[str, Any] = field(default_factory=dict[str, Any])

    def carries(self, service: str) -> bool:
        return bool(self.cloud.hosts_of(service, self.region.name))


@dataclass(frozen=True, slots=True)
class Step:
    """does: as a report has it. services: without one of them the step is skipped. after: steps that it builds on.

    run: says what came of it; raises anything when it does not work, `NotHereError` when this cloud is not meant to.
    """

    name: str
    does: str
    services: tuple[str, ...]
    run: Callable[[Site], str]
    after: tuple[str, ...] = ()


class NotHereError(Exception):
    """This cloud cannot do that, by its own configuration; the text says why."""

"""What apply would change."""

from __future__ import annotations

from collections.abc import Sequence

from fournines.cloud.model import Cloud, Host
from fournines.engine import SshOptions, connect, survey
from fournines.engine.events import Report
from fournines.engine.survey import Survey
from fournines.errors import HostError
from fournines.plan.desired import desired
from fournines.plan.make import make
from fournines.plan.model import Plan
from fournines.services import registry


def offline(cloud: Cloud, hosts: Sequence[Host]) -> Plan:
    """What it takes to make each host from nothing."""
    names = {h.name for h in hosts}
    return make(cloud, registry(), desired(cloud, registry(), names), {name: {} for name in names})


async def look(cloud: Cloud, chosen: Sequence[Host], ssh: SshOptions, report: Report) -> Survey:
    """The plan for the hosts that answer, and why the others do not. Raises HostError when none does."""
    async with connect(chosen, ssh) as hosts:
        found = await survey(cloud, registry(), hosts, report)
    failures = {**hosts.failures, **found.failures}
    if len(failures) == len(chosen):
        whys = [f"{name}: {error}" for name, error in failures.items()]
        raise HostError(
            "no host answered",
            where=", ".join(failures),
            why="\n        ".join(whys[:5]),
            next="nothing can be planned; see above",
        )
    return Survey(found.plan, failures, found.cloud)

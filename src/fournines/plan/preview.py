"""What the hosts would say once a plan was carried out: for the plan of what follows it, before it is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fournines.cloud.model import Cloud
from fournines.plan.actions import BOOKKEEPING, MANIFEST_FACT, manifest_file
from fournines.plan.desired import Registry, facts
from fournines.plan.make import NOTHING, make
from fournines.plan.model import Desired, Plan
from fournines.services.resource import Fact, Resource


def preview(cloud: Cloud, services: Registry, before: Desired, wanted: Desired) -> Plan:
    """The plan for `wanted` on hosts on which everything is as `before`, made without looking at them."""
    observed = carried_out(before)
    for host, asked in facts(wanted).items():
        for fact in asked:
            observed[host].setdefault(fact, NOTHING[fact.kind])
    return replace(make(cloud, services, wanted, observed), world="", facts={})


def carried_out(wanted: Desired) -> dict[str, dict[Fact, str]]:
    """The replies of hosts on which everything is as `wanted`."""
    return {host: _replies([r for mine in services.values() for r in mine]) for host, services in wanted.items()}


def _replies(resources: Sequence[Resource]) -> dict[Fact, str]:
    replies: dict[Fact, dict[str, None]] = {}
    for resource in resources:
        replies.setdefault(resource.fact, {})[resource.settled] = None
    manifest = manifest_file({r.key: r.triggers for r in resources}).content
    found = {fact: NOTHING[fact.kind] for fact in BOOKKEEPING}
    return found | {fact: " ".join(said) for fact, said in replies.items()} | {MANIFEST_FACT: f"text {manifest}"}

"""Roles without hosts, and services that nobody carries."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.roles import SHIPPED
from fournines.design.finding import Flaw, listed
from fournines.services import registry
from fournines.services.service import HaPattern


def unused_role(cloud: Cloud) -> Iterator[Flaw]:
    used = {r for h in cloud.hosts for r in h.roles}
    for role in cloud.roles:
        if role not in SHIPPED and role not in used:
            yield Flaw(
                ("roles", role),
                "warning",
                f"no host has the role {role}",
                "what it stands for runs nowhere",
                "give it to hosts, or remove it",
                key=True,
            )


def missing_service(cloud: Cloud) -> Iterator[Flaw]:
    shared = [name for name, service in registry().items() if service.pattern is not HaPattern.PER_HOST]
    needed = [name for name in shared if name in cloud.components]
    for region in cloud.regions.values():
        missing = [name for name in needed if not cloud.hosts_of(name, region.name)]
        if missing:
            yield Flaw(
                ("regions", region.name, "hosts"),
                "error",
                f"no host of region {region.name} carries {listed(missing)}",
                "regions share nothing, and the control plane does not work without",
                "give three hosts the role controller, or roles of your own that carry them",
                key=True,
            )

"""Which computes Nova knows, and how it groups them: done once, from one controller, after the computes have started.

A compute is discovered into a cell; each zone of the file is a host aggregate and an availability zone; hosts that are
a project's own are an aggregate that takes this project's servers only (`AggregateMultiTenancyIsolation`). Aggregates
made here carry a mark in their metadata: the others are the operator's, and left alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import endpoints, nova
from fournines.services.render import program
from fournines.services.resource import File, Resource, Task
from fournines.services.service import Check, HaPattern, Service

SCRIPT = "/usr/lib/fournines/nova-hosts"
WANTED = "/etc/fournines/nova-hosts.json"


class NovaHosts(Service):
    name: ClassVar[str] = "nova_hosts"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("nova",)
    after: ClassVar[tuple[str, ...]] = ("nova_compute",)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        if host != _where(cloud, host.region):
            return
        text = json.dumps(document(cloud, cloud.region_of(host)), indent=2) + "\n"
        yield File(SCRIPT, program("nova_hosts.py"), mode=0o755)
        yield File(WANTED, text)
        yield Task("nova hosts", check=_check(text), script=f"{SCRIPT} apply", timeout=600, python=True)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        if host == _where(cloud, host.region):
            text = json.dumps(document(cloud, cloud.region_of(host)), indent=2) + "\n"
            script = f'said=$({_check(text)}) && echo "$said" && [ "$said" = ok ]'
            yield Check("computes are in their cells and zones", host.name, script, within=60)


def _where(cloud: Cloud, region: str) -> Host | None:
    """The first host with Nova's own file: the one that makes its tables."""
    return next((h for h in cloud.hosts_of("nova_hosts", region) if "nova" in h.services), None)


def _check(text: str) -> str:
    """Of the document that is wanted, not of the one that the host has from the last time."""
    return f"{SCRIPT} check {hashlib.sha256(text.encode()).hexdigest()}"


def document(cloud: Cloud, region: Region) -> dict[str, Any]:
    """aggregates: name -> its zone ("" for none), its project ("" for none), its hosts."""
    computes = cloud.hosts_of("nova_compute", region.name)
    zones = {z: [h.name for h in computes if h.zone.name == z] for z in region.zones}
    projects = dict.fromkeys(p for h in computes for p in h.projects)
    aggregates = {z: {"zone": z, "project": "", "hosts": sorted(names)} for z, names in zones.items() if names}
    aggregates |= {
        f"project-{p}": {"zone": "", "project": p, "hosts": sorted(h.name for h in computes if p in h.projects)}
        for p in projects
    }
    return {
        "identity": endpoints.keystone_internal(cloud, region),
        "compute": endpoints.internal(cloud, region, nova.API.port, "/v2.1"),
        "hosts": sorted(h.name for h in computes),
        "aggregates": aggregates,
    }

"""Services that are to run on one of their hosts at a time: whether they can, and whether somebody would move them."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.source import Path
from fournines.design.finding import Flaw, listed
from fournines.services import registry
from fournines.services.capabilities import MayBePassive


def wrong(cloud: Cloud) -> Iterator[Flaw]:
    for name in sorted(cloud.passive):
        service, path = registry()[name], ("services", name, "ha")
        if not isinstance(service, MayBePassive):
            able = [other for other, s in registry().items() if isinstance(s, MayBePassive)]
            yield Flaw(
                path,
                "error",
                f"{name} cannot be passive",
                "it belongs to its host, is a member of something, or is moved by a mechanism of its own already "
                f"({service.pattern.value})",
                f"remove it; those that can be are {listed(able)}",
            )
        elif not service.movable(cloud):
            yield Flaw(
                path,
                "error",
                f"nothing of {name} can move to another host in this cloud",
                "all that it works with is on its hosts' own disks",
                "remove it",
            )
        elif cloud.pattern.cluster is None:
            yield Flaw(
                path,
                "error",
                f"{name} is to run on one host at a time, and the cloud has no cluster",
                "nobody would start it on any host",
                "add `cluster: pacemaker` to `pattern:`, or remove it",
            )
        else:
            yield from _placed(cloud, name, path)


def _placed(cloud: Cloud, name: str, path: Path) -> Iterator[Flaw]:
    hosts = [h for region in cloud.regions for h in cloud.hosts_of(name, region)]
    if not hosts:
        what, why = f"{name} is to run on one host at a time, and no host carries it", "it runs nowhere"
        yield Flaw(path, "error", what, why, f"give hosts a role that carries {name}, or remove it")
    for host in hosts:
        if "pacemaker" not in host.services:
            yield Flaw(
                host.entry,
                "error",
                f"{host.name} carries {name}, which is passive, and is no member of the cluster",
                "the cluster starts nothing there, and cannot fence it",
                "a role that carries corosync and pacemaker, such as endpoint",
                key=True,
            )

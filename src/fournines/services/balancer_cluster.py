"""The VIPs under Pacemaker: one group, on one host, where that host's HAProxy answers.

HAProxy itself runs on every load balancer, as with keepalived, under systemd and the observer, who restart one that
died or hangs: a clone of a resource agent of ours only looks at it (`scripts/haproxy-health.sh`). Where it does not
answer, the VIPs leave that host at once, and may come back `FORGETS` seconds after it was last seen unhealthy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from fournines.cloud.model import Cloud, Region
from fournines.services import corosync
from fournines.services.cib import Beside, Clone, Group, Managed, Operation, Order, Primitive
from fournines.services.cluster_address import address
from fournines.services.resource import Directory, File, Resource
from fournines.timing import timers

HEALTH, CLONE, VIPS = "haproxy-health", "haproxy-health-clone", "vips"
#: Seconds after which a HAProxy that was unhealthy counts as well again.
FORGETS = 30
_AGENTS = "/usr/lib/ocf/resource.d/fournines"


def moved(cloud: Cloud) -> bool:
    """Whether Pacemaker is who moves the VIPs."""
    return cloud.pattern.vip == "pacemaker"


@cache
def agent() -> tuple[Resource, ...]:
    text = files("fournines.services.scripts").joinpath(f"{HEALTH}.sh").read_text()
    return Directory(_AGENTS), File(f"{_AGENTS}/{HEALTH}", text, mode=0o755)


def managed(cloud: Cloud, region: Region, port: int) -> Iterator[Managed]:
    """port: where HAProxy answers /alive."""
    t, members = timers(cloud), cloud.hosts_of("haproxy", region.name)
    parameters = {"port": str(port)}
    if len(corosync.linked(cloud, region.name)) > 1:
        # Cut off from clients, and not from the cluster: nobody else would see it.
        parameters["peers"] = " ".join(h.name for h in members)
    looks = (
        Operation("start", 0, t.cluster_timeout),
        Operation("stop", 0, t.cluster_timeout),
        Operation("monitor", t.cluster_monitor, t.cluster_timeout),
    )
    unhealthy = {"migration-threshold": "1", "failure-timeout": f"{FORGETS}s"}
    yield Clone(CLONE, Primitive(HEALTH, f"ocf:fournines:{HEALTH}", parameters, looks, unhealthy))
    # They do not go back to where they were, and weigh when two hosts would fence each other.
    meta = {"resource-stickiness": "100", "priority": "10"}
    yield Group(VIPS, tuple(_vips(cloud, region)), meta)
    yield Beside(VIPS, CLONE)
    yield Order(CLONE, VIPS)


def _vips(cloud: Cloud, region: Region) -> Iterator[Primitive]:
    members, networks = cloud.hosts_of("haproxy", region.name), region.networks
    yield address(cloud, "vip-internal", region.vips.internal, networks["management"], members)
    yield address(cloud, "vip-public", region.vips.public, networks["public"], members)

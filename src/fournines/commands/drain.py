"""What drains a host and what ends that, as changes of the cloud (`commands.operation`)."""

from __future__ import annotations

from fournines.cloud.model import Cloud, Host
from fournines.commands.operation import Change
from fournines.health.cluster import Cluster
from fournines.operate import drain


def to_drain(host: Host, reason: str, when: float) -> Change:
    """when: seconds since the epoch, of the asking."""
    return lambda cloud, seen: drained(cloud, host, reason, when, seen)


def drained(cloud: Cloud, host: Host, reason: str, when: float, seen: Cluster) -> Cloud:
    """Raises PlanError when the rest could not serve."""
    region = next(r for r in seen.regions if r.region.name == host.region)
    return drain.drained(cloud, cloud.host_by_name[host.name], reason, when, region)


def to_undrain(host: Host, when: float) -> Change:
    return lambda cloud, _: drain.undrained(cloud, cloud.host_by_name[host.name], when)

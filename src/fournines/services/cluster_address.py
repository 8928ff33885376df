"""An address that the cluster moves between hosts: IPaddr2, from the package."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address

from fournines.cloud.model import Cloud, Host, Network
from fournines.services.cib import Operation, Primitive
from fournines.timing import timers

#: The monitor of what nothing but a person undoes (an address, a mount) is so much slower than `cluster_monitor`.
SLOW_MONITOR = 5


def address(cloud: Cloud, name: str, ip: IPv4Address, network: Network, hosts: Collection[Host]) -> Primitive:
    """`ip` of `network`, on one of `hosts`. Where their devices differ the agent takes the one that leads there."""
    t = timers(cloud)
    devices = {h.devices.get(network.name, network.interface) for h in hosts}
    parameters = {"ip": str(ip), "cidr_netmask": "32"}
    if len(devices) == 1:
        parameters["nic"] = devices.pop()
    steps = (
        Operation("start", 0, t.cluster_timeout),
        Operation("stop", 0, t.cluster_timeout),
        Operation("monitor", SLOW_MONITOR * t.cluster_monitor, t.cluster_timeout),
    )
    return Primitive(name, "ocf:heartbeat:IPaddr2", parameters, steps)

"""What members of the cluster have of its quorum device (`services.qnetd`, on the witness): a daemon that asks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fournines.cloud.model import Cloud, Host
from fournines.services import nss, tls
from fournines.services.drop_in import drop_in
from fournines.services.render import HEADER
from fournines.services.resource import File, Package, Resource, Unit
from fournines.timing import timers

UNIT = "corosync-qdevice.service"
PORT = 5403
#: The service whose members it arbitrates.
GROUP = "corosync"
DIRECTORY = "/etc/corosync/qdevice/net/nssdb"


def witness(cloud: Cloud, region: str) -> Host | None:
    """The host of the device: corosync takes one."""
    return next(iter(cloud.hosts_of("qnetd", region)), None)


def cluster_name(cloud: Cloud, region: str) -> str:
    """Of corosync's: the device knows the cluster by it, and asks for it in its members' certificates."""
    return f"{cloud.name}-{region}"


def resources(cloud: Cloud, host: Host) -> Iterable[Resource]:
    """On a member. None where there is no device."""
    device = witness(cloud, host.region)
    if device is None:
        return
    yield Package("corosync-qdevice")
    # The name that is asked for in the device's certificate.
    options = f"-S net_nss_qnetd_cn={device.name}"
    yield File(
        "/etc/default/corosync-qdevice",
        f'{HEADER}COROSYNC_QDEVICE_OPTIONS="{options}"\n',
        triggers=(f"restart:{UNIT}",),
    )
    yield from nss.database(
        "qdevice",
        DIRECTORY,
        "Cluster Cert",
        tls.named_pem(cloud, host, GROUP, cluster_name(cloud, host.region)),
        tls.member_ca(cloud, host.region, GROUP),
        group="root",
        unit=UNIT,
    )
    yield from drop_in(UNIT)


def unit(cloud: Cloud, region: str) -> Iterable[Resource]:
    """After corosync's own, whose configuration names the device."""
    if witness(cloud, region) is not None:
        yield Unit(UNIT)


def section(cloud: Cloud, region: str) -> Mapping[str, Any] | None:
    """`quorum.device` of corosync.conf. One vote, for the half of the members that it chooses (ffsplit)."""
    device, timeout = witness(cloud, region), timers(cloud).quorum_device
    if device is None:
        return None
    return {
        "model": "net",
        "votes": 1,
        "timeout": round(timeout * 1000),
        # While members agree on who is left they wait for its word.
        "sync_timeout": round(3 * timeout * 1000),
        "net": {"host": device.address, "port": PORT, "algorithm": "ffsplit", "tls": "required"},
    }

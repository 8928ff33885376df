"""Where clients and services find the APIs of a region: the VIPs, the public one by its name where it has one."""

from __future__ import annotations

from fournines.cloud.model import Cloud, Host, Region
from fournines.services import tls

KEYSTONE_PORT = 5000


def internal(cloud: Cloud, region: Region, port: int, path: str = "") -> str:
    return f"{tls.scheme(cloud)}://{region.vips.internal}:{port}{path}"


def backend(cloud: Cloud, host: Host, port: int, path: str = "") -> str:
    """One host's own, past the load balancer."""
    return f"{tls.scheme(cloud)}://{host.address}:{port}{path}"


def public(region: Region, port: int, path: str = "") -> str:
    return f"https://{region.public_host}:{port}{path}"


def keystone_internal(cloud: Cloud, region: Region) -> str:
    return internal(cloud, region, KEYSTONE_PORT, "/v3")


def keystone_public(region: Region) -> str:
    return public(region, KEYSTONE_PORT, "/v3")

"""Where clients and services find the APIs of a region: the VIPs, the public one by its name where it has one."""

from __future__ import annotations

from fournines.cloud.model import Region

KEYSTONE_PORT = 5000


def internal(region: Region, port: int, path: str = "") -> str:
    return f"http://{region.vips.internal}:{port}{path}"


def public(region: Region, port: int, path: str = "") -> str:
    return f"https://{region.public_host}:{port}{path}"


def keystone_internal(region: Region) -> str:
    return internal(region, KEYSTONE_PORT, "/v3")


def keystone_public(region: Region) -> str:
    return public(region, KEYSTONE_PORT, "/v3")

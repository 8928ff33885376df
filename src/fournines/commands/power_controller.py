"""A host's power controller, as the cloud file and the secrets have it."""

from __future__ import annotations

from fournines.cloud.model import Cloud, Host
from fournines.services import pacemaker, tls


def known(cloud: Cloud, host: Host) -> bool:
    """Whether it has one, and its password is known."""
    return host.bmc is not None and pacemaker.password(host.name) in cloud.secrets.names()


def settings_of(cloud: Cloud, host: Host) -> dict[str, str]:
    """What `programs/recovery_fence.py` needs to speak to it; the host has one."""
    assert host.bmc is not None
    trusted = tls.internal_ca(cloud) + (host.bmc.ca.read_text() if host.bmc.ca else "")
    return {
        "url": host.bmc.url,
        "system": host.bmc.system,
        "user": host.bmc.user,
        "password": str(cloud.secrets.get(pacemaker.password(host.name))),
        "ca": trusted if host.bmc.verify else "",
    }

"""Every unit that fournines writes or lays something over is sandboxed, or docs/security.md says why not."""

from __future__ import annotations

import re

import pytest

from fournines.cloud.model import Cloud
from fournines.services import load, registry
from fournines.services.resource import File
from samples import cases

UNIT = re.compile(r"/etc/systemd/system/([\w-]+\.service)(\.d/fournines\.conf)?$")
EXCEPTIONS = re.findall(r"^\| `.*", (cases.ROOT / "docs/security.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return load(cases.ROOT / "examples/full-cloud.yaml")


def units(cloud: Cloud) -> dict[str, str]:
    """Unit -> what fournines writes of it."""
    found: dict[str, str] = {}
    for host in cloud.hosts:
        for name in host.services:
            for resource in registry()[name].desired(cloud, host):
                if isinstance(resource, File) and (unit := UNIT.match(resource.path)):
                    found[unit[1]] = resource.content
    return found


#: Of the agent, of packages whose units are as strict, and of what only waits.
ELSEWHERE = {"valkey-server.service", "valkey-sentinel.service", "keepalived.service", "fournines-quorum-first.service"}


def test_every_unit_is_sandboxed_or_said_why_not(cloud: Cloud) -> None:
    made = units(cloud)
    assert len(made) > 50
    excepted = " ".join(row for row in EXCEPTIONS)
    for unit, text in made.items():
        if unit in ELSEWHERE or f"`{unit.removesuffix('.service')}`" in excepted:
            continue
        assert "NoNewPrivileges=yes" in text, unit
        assert "CapabilityBoundingSet=" in text, unit
        assert "ProtectSystem=strict" in text or unit.startswith("fournines-"), unit


def test_who_becomes_root_by_sudo_can(cloud: Cloud) -> None:
    """What would imply NoNewPrivileges, or hide the mounts that others must see, is not said of these."""
    made = units(cloud)
    denied = re.compile(r"^(NoNew|Protect|Private|SystemCall|Restrict[A-Z]|ReadWrite|UMask)", re.MULTILINE)
    for unit in ("neutron-l3-agent.service", "neutron-dhcp-agent.service", "neutron-openvswitch-agent.service"):
        assert not denied.search(made[unit]), unit

"""What a person does after `apply`: plans again, and works with the cloud while a controller loses power."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from lab.conftest import OpenStack, Run, client, healthy


@pytest.fixture
def openstack(cloud_file: Path) -> OpenStack:
    return client(cloud_file)


def holder(cloud: Cloud) -> str:
    """The host that has the public VIP."""
    (region,) = cloud.regions.values()
    for host in cloud.hosts:
        if not lab.is_on(cloud.name, host.name):
            continue
        inside = ["nsenter", f"--net=/proc/{lab.leader(cloud.name, host.name)}/ns/net"]
        addresses = subprocess.check_output([*inside, "ip", "-oneline", "-4", "address"], text=True)
        if f" {region.vips.public}/" in addresses:
            return host.name
    raise AssertionError("nobody holds the VIP")


def test_after_apply_there_is_nothing_to_do(cloud_file: Path, fournines: Run) -> None:
    healthy(cloud_file, fournines)
    fournines("plan", cloud_file, "--exit-code")
    fournines("apply", cloud_file, "--yes")
    fournines("plan", cloud_file, "--exit-code")


def test_the_client_works_while_the_vip_holder_loses_power(
    cloud_file: Path, cloud: Cloud, fournines: Run, openstack: OpenStack
) -> None:
    healthy(cloud_file, fournines)
    assert openstack("token", "issue")["id"]
    before, after = (f"made-{uuid.uuid4()}" for _ in range(2))
    openstack("project", "create", before)
    lost = holder(cloud)
    fournines("lab", "power", "off", f"{cloud.name}/{lost}")
    try:
        openstack("project", "create", after)
        assert {before, after} <= {project["Name"] for project in openstack("project", "list")}
        assert holder(cloud) != lost
        assert fournines("status", cloud_file, ok=False).returncode == 1
    finally:
        lab.power(cloud.name, lost, "on")
    healthy(cloud_file, fournines)
    fournines("plan", cloud_file, "--exit-code")

"""What a person does after `apply`: plans again, and works with the cloud while a controller loses power."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from lab.conftest import Run, healthy

OpenStack = Callable[..., Any]


@pytest.fixture
def openstack(cloud: Cloud) -> OpenStack:
    """The client that operators have, with the clouds.yaml that `apply` left; its JSON."""

    def run(*words: str) -> Any:
        argv = [str(Path(sys.executable).with_name("openstack")), "--os-cloud", cloud.name, *words, "-f", "json"]
        environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(cloud.state_dir / "clouds.yaml")}
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


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

"""What a person does after `apply`: plans again, and works with the cloud while a controller loses power."""

from __future__ import annotations

import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.services import tls
from lab.conftest import OpenStack, Run, client, healthy
from lab.ports import inside

#: Seconds for which the database is killed again: on a fast machine it is back before a request has waited in vain.
KEPT_DEAD = 15


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


def created(openstack: OpenStack, name: str) -> None:
    """While no node takes writes, a second or so, a request that may not be sent twice is told to try again (503)."""
    until = time.monotonic() + 5.0
    while True:
        try:
            openstack("project", "create", name)
            return
        except AssertionError as error:
            if "503" not in str(error) or time.monotonic() > until:
                raise


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
        created(openstack, after)
        assert {before, after} <= {project["Name"] for project in openstack("project", "list")}
        assert holder(cloud) != lost
        assert fournines("status", cloud_file, ok=False).returncode == 1
    finally:
        lab.power(cloud.name, lost, "on")
    healthy(cloud_file, fournines)
    fournines("plan", cloud_file, "--exit-code")


def test_a_database_that_comes_back_forbids_nothing(
    cloud_file: Path, cloud: Cloud, fournines: Run, openstack: OpenStack
) -> None:
    """All of its nodes die, and no cache knows the token: who asks waits, or is told to ask again, not that it has no
    rights."""
    healthy(cloud_file, fournines)
    (region,) = cloud.regions.values()
    said: Counter[int] = Counter()
    waited: list[float] = []
    over = threading.Event()
    token = openstack("token", "issue")["id"]
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    request = urllib.request.Request(f"https://{region.vips.public}:5000/v3/auth/tokens", headers=headers)
    trust = ssl.create_default_context(cadata=tls.ca_certificate(cloud))

    def validate() -> None:
        while not over.wait(0.1):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
                    said[answer.status] += 1
            except urllib.error.HTTPError as error:
                said[error.code] += 1
            except OSError:
                said[0] += 1
            waited.append(time.monotonic() - began)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(validate) for _ in range(4)]
        try:
            for second in range(30):
                for host in cloud.hosts:
                    if second < KEPT_DEAD:
                        inside(cloud, host.name, "systemctl", "kill", "--signal=KILL", "mariadb.service")
                    flush = f"exec 3<>/dev/tcp/{host.address}/11211; printf 'flush_all\\r\\nquit\\r\\n' >&3; cat <&3"
                    inside(cloud, host.name, "bash", "-c", flush)
                time.sleep(1.0)
            healthy(cloud_file, fournines)
        finally:
            over.set()
        for each in asking:
            each.result()
    assert set(said) <= {0, 200, 502, 503, 504}, said
    assert said[503] or max(waited) > 3.0, "the outage was not met"
    assert said[200] > 50, said


_REGISTERED = """\
import importlib.util, sys
sys.argv = ["keystone"]
found = importlib.util.spec_from_file_location("application", "/usr/lib/fournines/keystone-application.py")
loaded = importlib.util.module_from_spec(found)
found.loader.exec_module(loaded)
loaded.keystone()
from keystone.common.rbac_enforcer.enforcer import RBACEnforcer
print(len(vars(RBACEnforcer())["_RBACEnforcer__ENFORCER"].rules))
"""


def test_policies_are_registered_before_the_first_request(cloud: Cloud) -> None:
    """Of two first requests at once, Keystone by itself forbids the second."""
    assert int(inside(cloud, cloud.hosts[0].name, "python3", "-c", _REGISTERED).split()[-1]) > 100

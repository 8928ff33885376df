from __future__ import annotations

from pathlib import Path

import pytest

from fournines.cloud.model import Cloud
from fournines.errors import PlanError
from fournines.operate import rotate
from fournines.plan import make
from fournines.plan.desired import desired
from fournines.plan.model import Plan
from fournines.services import fernet, registry
from fournines.services.resource import File
from samples import cases


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return cases.Case(Path("none"), {"cloud": None}).cloud(tmp_path)


def test_the_secrets_hold_the_new_keys_and_every_host_is_to_get_them(cloud: Cloud) -> None:
    before = fernet.keys(cloud)
    after = rotate.fernet_keys(cloud, 1000.0, Plan("acme", (), ""))
    assert fernet.keys(cloud) == after
    assert after.files[after.primary] == before.files[0]
    for host in cloud.hosts:
        written = {r.key: r for r in registry()["keystone"].desired(cloud, host)}
        for index, key in after.files.items():
            file = written[f"file:/etc/keystone/fernet-keys/{index}"]
            assert isinstance(file, File)
            assert file.content == key


def test_a_cloud_that_is_not_as_its_file_says_is_refused(cloud: Cloud) -> None:
    before = fernet.keys(cloud)
    wanted = desired(cloud, registry())
    pending = make.make(cloud, registry(), wanted, {host.name: {} for host in cloud.hosts})
    with pytest.raises(PlanError, match="as its file says") as error:
        rotate.fernet_keys(cloud, 1000.0, pending)
    assert "fournines apply" in error.value.next
    assert fernet.keys(cloud) == before

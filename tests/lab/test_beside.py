"""`prove --beside`: one campaign on two clouds of the lab."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from lab.conftest import Run, healthy, write_cloud
from lab.test_prove import prove, whole_and_nothing_lost


def test_two_clouds_are_struck_with_the_same(cloud_file: Path, cloud: Cloud, fournines: Run, tmp_path: Path) -> None:
    """The second one's lab is brought up, and is gone afterwards; the first one's stays."""
    healthy(cloud_file, fournines)
    other = write_cloud(tmp_path, "test-beside", 48, hosts=1)
    other.write_text(other.read_text() + "accept: {single-copy: it is to be lost}\n")
    faults = f"service.kill@keystone+vip,host.reset@{cloud.hosts[2].name}"
    try:
        more = ["--beside", str(other), "--functions", "validate,write_row"]
        document = prove(fournines, cloud_file, faults, *more)
    finally:
        left = lab.down("test-beside")
    assert not left
    assert lab.exists(cloud.name)
    whole_and_nothing_lost(document["faults"][0])
    measured, absent = document["beside"]["faults"]
    whole_and_nothing_lost(measured)
    assert absent["not_measured"] == f"there is no target '{cloud.hosts[2].name}'"
    assert document["verdict"] in ("unknown", "fail"), "what is not measured is no pass"
    killed, _ = document["side_by_side"]
    for function in ("all", "validate", "write_row"):
        worst = killed["functions"][function]["worst_wait_s"]
        assert worst["difference_s"]["median"] == pytest.approx(
            worst["other"]["median"] - worst["one"]["median"], abs=1e-5
        )
    again = json.loads(fournines("prove", cloud_file, "--analyse", "latest", "--json", ok=False).stdout)
    assert again == document

"""What there is one of, beyond hosts and services, is said before a design is called free of single points."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.cloud.model import Cloud
from fournines.design.document import compose, markdown
from fournines.design.overview import overview
from fournines.services import load
from samples.cases import ROOT

FULL = (ROOT / "examples/full-cloud.yaml").read_text().partition("\nservices:\n")[0] + "\n"
CLAIM = "No single host, rack, power feed or switch stops any function."
RBD = "services: {cinder_volume: {options: {cinder-volume.conf: {DEFAULT: {enabled_backends: ceph}, ceph: {volume_driver: cinder.volume.drivers.rbd.RBDDriver}}}}}\n"  # noqa: E501


def cloud(directory: Path, services: str = RBD, images: str = "") -> Cloud:
    path = directory / "cloud.yaml"
    pattern = f"pattern: {{{images}compute: fake}}"
    path.write_text(FULL.replace("pattern: {compute: fake}", pattern) + services)
    return load(path)


def said(made: Cloud) -> list[tuple[str, tuple[str, ...]]]:
    return [(w.what, w.stops) for w in overview(made).weaknesses if w.cut.components[0].kind == "outside"]


def test_nothing_single_and_the_claim(tmp_path: Path) -> None:
    made = cloud(tmp_path)
    assert said(made) == []
    assert CLAIM in markdown(compose(made))


NFS = "glance: {options: {images.mount: {Mount: {What: 'nas:/images'}}}}"


@pytest.mark.parametrize(
    ("services", "images", "what", "stops"),
    [
        (
            RBD.replace("services: {", f"services: {{{NFS}, "),
            "images: nfs, ",
            "one NFS server, nas:/images",
            "boot_server",
        ),
        ("", "", "in Cinder's books only", "create_volume"),
        (RBD.replace("rbd.RBDDriver", "lvm.LVMVolumeDriver"), "", "on single hosts' disks (LVM)", "create_volume"),
        (RBD.replace("rbd.RBDDriver", "nfs.NfsDriver"), "", "on an NFS server", "create_volume"),
    ],
)
def test_one_of_something_is_a_single_point_of_failure(
    tmp_path: Path, services: str, images: str, what: str, stops: str
) -> None:
    made = cloud(tmp_path, services, images)
    ((found, functions),) = said(made)
    assert what in found
    assert stops in functions
    text = markdown(compose(made))
    assert CLAIM not in text
    assert what in text


def test_servers_are_said_to_stop_with_their_host(tmp_path: Path) -> None:
    assert "each runs on one host, and stops with it" in markdown(compose(cloud(tmp_path)))


def test_the_dashboard_is_at_443_in_the_firewall_table(tmp_path: Path) -> None:
    assert "| 443 | horizon: horizon |" in markdown(compose(cloud(tmp_path)))

"""From a cloud file to what its lab consists of."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from fournines.cloud.model import Cloud
from fournines.errors import LabError
from fournines.lab import state
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


def changed(tmp_path: Path, **replacements: str) -> Cloud:
    """The example with pieces of its text replaced: name=`old → new`."""
    text = EXAMPLE.read_text()
    for change in replacements.values():
        old, new = change.split(" → ")
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "cloud.yaml"
    path.write_text(text)
    return load(path)


@pytest.fixture
def example() -> Cloud:
    return load(EXAMPLE)


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(state, "LABS", tmp_path / "labs")
    return tmp_path / "labs"


def test_every_host_is_on_its_networks(example: Cloud) -> None:
    made = state.design(example, "image")
    assert [host.name for host in made.hosts] == ["ctl1", "ctl2", "ctl3"]
    assert [(p.network, p.interface, str(p.address)) for p in made.hosts[0].ports] == [
        ("management", "management", "198.18.0.11/24"),
        ("public", "public", "198.18.1.11/24"),
    ]
    assert {p.bridge for h in made.hosts for p in h.ports} == {b.device for b in made.bridges}
    assert str(made.gateway) == "198.18.0.1"


def test_names_fit_the_kernel_and_are_all_different(example: Cloud, tmp_path: Path) -> None:
    other = changed(tmp_path, name="cloud: acme → cloud: acme2")
    labs = [state.design(c, "image") for c in (example, other)]
    devices = [p.device for made in labs for h in made.hosts for p in h.ports]
    devices += [b.device for made in labs for b in made.bridges]
    macs = [p.mac for made in labs for h in made.hosts for p in h.ports] + [
        b.mac for made in labs for b in made.bridges
    ]
    for names in (devices, macs, [h.uuid for made in labs for h in made.hosts]):
        assert len(names) == len(set(names))
    assert max(map(len, devices)) <= 15
    assert all(int(mac[:2], 16) & 0b11 == 0b10 for mac in macs), "locally administered, not multicast"


def test_design_is_the_same_every_time(example: Cloud) -> None:
    assert state.design(example, "image") == state.design(load(EXAMPLE), "image")


def test_networks_outside_the_range_are_refused(tmp_path: Path) -> None:
    cloud = changed(tmp_path, network="198.18.1. → 10.0.1.")
    with pytest.raises(LabError, match=r"outside 198\.18\.0\.0/15"):
        state.design(cloud, "image")


def test_a_record_survives_saving(labs: Path, example: Cloud) -> None:
    made = state.design(example, "0123")
    assert not state.exists("acme")
    state.save(made)
    assert state.exists("acme")
    assert state.load("acme") == made
    assert state.names() == ["acme"]
    assert list(state.readable()) == [made]


def test_no_lab_and_no_host_are_said(labs: Path, example: Cloud) -> None:
    with pytest.raises(LabError, match="no lab named nowhere"):
        state.load("nowhere")
    with pytest.raises(LabError, match="no host ctl9") as error:
        state.design(example, "image").host("ctl9")
    assert "ctl1, ctl2, ctl3" in error.value.next


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"cloud": "acme"}'])
def test_a_damaged_record_is_said(labs: Path, example: Cloud, damage: str) -> None:
    state.save(state.design(example, "0123"))
    (labs / "acme" / "lab.json").write_text(damage)
    with pytest.raises(LabError, match="cannot be read") as error:
        state.load("acme")
    assert error.value.next == "fournines lab down acme"


def test_writes_are_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for content in itertools.islice(itertools.cycle([b"first", b"second"]), 3):
        state.write_atomically(path, content, 0o600)
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]

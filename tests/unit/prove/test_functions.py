"""Which functions are probed: those that the cloud has, by the names that `design` knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.design.derive import functions
from fournines.errors import UsageError
from fournines.prove.functions import carried, chosen
from fournines.prove.probes import PROBES
from fournines.services import load, registry

EXAMPLES = Path(__file__).parents[3] / "examples"
CORE = load(EXAMPLES / "three-controllers.yaml")
FULL = load(EXAMPLES / "full-cloud.yaml")
IN_PROJECT = [name for name, probe in PROBES.items() if probe.in_project]


def test_what_services_declare_is_probed_by_the_same_name() -> None:
    assert set(IN_PROJECT) <= set(functions(registry()))


def test_a_cloud_is_probed_for_what_it_has() -> None:
    near = [name for name, probe in PROBES.items() if not probe.routed]
    assert carried(FULL, "phx") == tuple(near)
    assert carried(CORE, "phx") == tuple(name for name in near if name not in IN_PROJECT)


def test_all_is_probed_unless_some_are_named() -> None:
    assert chosen([], FULL, "phx") == carried(FULL, "phx")
    assert chosen(["boot_server", "validate"], FULL, "phx") == ("validate", "boot_server")
    assert chosen(["consume"], CORE, "phx") == ("publish", "consume")


def test_what_cannot_be_probed_is_refused() -> None:
    with pytest.raises(UsageError, match="no function boot_servers") as caught:
        chosen(["boot_servers"], FULL, "phx")
    assert "boot_server" in caught.value.next
    with pytest.raises(UsageError, match="acme cannot do boot_server"):
        chosen(["boot_server"], CORE, "phx")

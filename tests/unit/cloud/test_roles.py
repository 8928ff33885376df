"""Which host carries what."""

from __future__ import annotations

from fournines.cloud.roles import placed, selectable, selected, shipped
from samples.catalogue import CORE, MORE

ALL = frozenset(MORE)
EVERYWHERE = {"base", "agent"}
TIERS = {"mariadb", "rabbitmq", "haproxy", "keepalived"}


def test_controllers_stand_in_for_roles_that_nobody_has() -> None:
    roles = placed({}, MORE, {"controller", "compute"}, ALL)
    assert roles["controller"] == ALL
    assert roles["compute"] == EVERYWHERE | {"nets_l2"}


def test_a_role_that_some_host_has_is_not_the_controllers() -> None:
    roles = placed({}, MORE, {"controller", "database", "network", "compute"}, ALL)
    assert roles["controller"] == ALL - {"mariadb", "nets_agents", "nets_l2"}
    assert roles["network"] == EVERYWHERE | {"nets_agents", "nets_l2"}


def test_own_roles_take_from_the_controllers_what_is_not_per_host() -> None:
    own = {"edge": frozenset({"haproxy", "keepalived"}), "cells": frozenset({"nets_l2"})}
    assert placed(own, MORE, {"controller", "edge", "cells"}, ALL)["controller"] == ALL - own["edge"]
    assert placed(own, MORE, {"controller"}, ALL)["controller"] == ALL


def test_what_is_not_wanted_is_nowhere() -> None:
    for services in placed({}, MORE, {"controller", "compute"}, selected({"core"}, MORE)).values():
        assert services <= set(CORE)


def test_components_are_sets_families_or_services_with_what_they_need() -> None:
    assert selected({"core"}, MORE) == frozenset(CORE)
    assert selected({"compute"}, MORE) == ALL - {"metrics"}
    assert selected({"full"}, MORE) == ALL
    assert selected({"images"}, MORE) == {*CORE, "images"}
    assert selected({"core", "nets"}, MORE) == {*CORE, "nets", "nets_agents", "nets_l2"}
    assert selected({"mariadb"}, MORE) == EVERYWHERE | {"mariadb"}
    assert selected((), MORE) == EVERYWHERE
    assert {"core", "nets", "nets_l2", "full"} <= selectable(MORE)


def test_the_shipped_roles_as_they_are_documented() -> None:
    roles = shipped(MORE)
    assert roles["controller"] >= TIERS | {"objects", "nets_agents", "metrics"}
    assert roles["database"] == {"mariadb"}

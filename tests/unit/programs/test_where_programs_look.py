"""What a program and the service that puts it on a host both name: they must name the same."""

from __future__ import annotations

import pytest

from fournines.programs import (
    glance_container,
    horizon_tables,
    keystone_state,
    lease,
    nova_cells,
    nova_hosts,
    rabbitmq_definitions,
    schema_state,
    swift_rings,
)
from fournines.services import broker_accounts, glance, horizon, keystone, nova, schema
from fournines.services import lease as leases
from fournines.services import nova_hosts as hosts
from fournines.services import swift_rings as rings


@pytest.mark.parametrize(
    ("program", "service"),
    [
        (glance_container.SETTINGS, glance.WANTED_CONTAINER),
        (horizon_tables.SETTINGS, horizon.OURS),
        (keystone_state.CONFIG, keystone.CONFIG),
        (keystone_state.APPLIED, keystone.ADMIN_MARK),
        (lease.SETTINGS, leases.DIRECTORY),
        (nova_cells.CONFIG, nova.CONFIG),
        (nova_hosts.CONFIG, nova.CONFIG),
        (nova_hosts.SETTINGS, hosts.WANTED),
        (rabbitmq_definitions.SETTINGS, broker_accounts.DEFINITIONS),
        (rabbitmq_definitions.OF_HOST, broker_accounts.OF_HOST),
        (schema_state.SETTINGS, schema.DIRECTORY),
        (swift_rings.DIRECTORY, rings.DIRECTORY),
        (swift_rings.WANTED, rings.WANTED),
        (swift_rings.MADE, rings.MADE),
    ],
)
def test_both_name_the_same(program: object, service: str) -> None:
    assert str(program) == service

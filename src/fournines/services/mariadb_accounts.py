"""Databases and accounts in the MariaDB that the cluster runs, made on the host that has it.

After the cluster, which starts it; before Keystone, the first that needs an account. The hosts that do not have it
remember which accounts were last made, so that a failover between two runs makes none of them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import database_accounts
from fournines.services.mariadb import UNIT
from fournines.services.mariadb_shared import GROUP, WRITES
from fournines.services.resource import Resource
from fournines.services.service import Check, HaPattern, Service


class MariadbAccounts(Service):
    name: ClassVar[str] = "mariadb_accounts"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("database",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"database": "shared"}
    needs: ClassVar[tuple[str, ...]] = ("mariadb_shared", "pacemaker")

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        wanted = database_accounts.wanted(cloud, host.region)
        yield GROUP.task(
            "databases and their accounts",
            wanted.check,
            f"for _ in $(seq 120); do {WRITES} < /dev/null && break; sleep 0.5; done\nmariadb",
            wanted.statements,
            stdin=wanted.statements,
        )

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        check = database_accounts.wanted(cloud, host.region).check
        script = f'{GROUP.here} || exit 0\nsaid=$({check}\n)\necho "$said"\n[ "$said" = ok ]'
        yield Check("the database has every account, where it runs", host.name, script, within=60, unit=UNIT)

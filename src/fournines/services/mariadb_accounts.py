"""Databases and accounts in the MariaDB that the cluster runs, made on the host that has it.

After the cluster, which starts it; before Keystone, the first that needs an account. The hosts that do not have it
remember which accounts were last made, so that a failover between two runs makes none of them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import database_accounts
from fournines.services.mariadb import UNIT
from fournines.services.mariadb_shared import HERE, WRITES
from fournines.services.resource import Resource, Task
from fournines.services.service import Check, HaPattern, Service

#: Digest of the accounts that this host knows to be there.
KNOWN = "/var/lib/fournines/database-accounts"


class MariadbAccounts(Service):
    name: ClassVar[str] = "mariadb_accounts"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("database",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"database": "shared"}
    needs: ClassVar[tuple[str, ...]] = ("mariadb_shared", "pacemaker")

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        wanted = database_accounts.wanted(cloud, host.region)
        known = hashlib.sha256(wanted.statements.encode()).hexdigest()[:16]
        elsewhere = f"[ \"$(cat {KNOWN} 2> /dev/null)\" = {known} ] && echo ok || echo 'not made yet'"
        yield Task(
            name="databases and their accounts",
            check=f"if {HERE}; then\n{wanted.check}\nelse\n{elsewhere}\nfi",
            # The cluster has it started on one of the hosts by now, or is about to move it.
            script=(
                f"if {HERE}; then\n"
                f"for _ in $(seq 120); do {WRITES} < /dev/null && break; sleep 0.5; done\nmariadb\nfi\n"
                f"echo {known} > {KNOWN}"
            ),
            stdin=wanted.statements,
        )

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        check = database_accounts.wanted(cloud, host.region).check
        script = f'{HERE} || exit 0\nsaid=$({check}\n)\necho "$said"\n[ "$said" = ok ]'
        yield Check("the database has every account, where it runs", host.name, script, within=60, unit=UNIT)

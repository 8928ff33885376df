"""Databases and accounts in the MariaDB of which the cluster promotes one copy, made on the host that has the primary.

After the cluster, which promotes it; before Keystone, the first that needs an account. Replicas read the primary's
binary log with an account for each of their hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import database_accounts, database_tls, where_it_runs
from fournines.services.database_accounts import Wanted
from fournines.services.mariadb import UNIT
from fournines.services.mariadb_replica import ACCOUNT, HERE, NAME, SECRET, WRITES
from fournines.services.render import template
from fournines.services.resource import Resource
from fournines.services.service import Check, HaPattern, Service

#: Seconds in which a host's copy of the whole database is there: of a new cloud's; a larger one has it later, and says
#: so in `status`.
COPIED = 300.0


class MariadbReplicaAccounts(Service):
    name: ClassVar[str] = "mariadb_replica_accounts"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("database",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"database": "replica"}
    needs: ClassVar[tuple[str, ...]] = ("mariadb_replica", "pacemaker")

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        for tier, name, wanted in (
            (f"{NAME}-replication", "accounts of replicas", _replicas(cloud, host.region)),
            (NAME, "databases and their accounts", database_accounts.wanted(cloud, host.region)),
        ):
            yield where_it_runs.task(
                tier,
                HERE,
                name,
                check=wanted.check,
                script=f"for _ in $(seq 120); do {WRITES} < /dev/null && break; sleep 0.5; done\nmariadb",
                wanted=wanted.statements,
                stdin=wanted.statements,
            )

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        check = database_accounts.wanted(cloud, host.region).check
        script = f'{HERE} || exit 0\nsaid=$({check}\n)\necho "$said"\n[ "$said" = ok ]'
        yield Check("the database has every account, where it runs", host.name, script, within=60, unit=UNIT)
        follows = f"{HERE} || mariadb -e 'show slave status\\G' | grep -c 'Slave_.*_Running: Yes' | grep -qx 2"
        yield Check("this host's copy follows the primary", host.name, follows, within=COPIED, unit=UNIT)


def _replicas(cloud: Cloud, region: str) -> Wanted:
    values = {
        "name": ACCOUNT,
        "hosts": [str(h.address) for h in cloud.hosts_of("mariadb_replica", region)],
        "digests": database_accounts.digests(cloud, SECRET),
        "transport": database_tls.transport(cloud),
    }
    check, statements = (f"mariadb_replica/accounts{name}.j2" for name in ("-check.sh", ".sql"))
    return Wanted(template(check, **values), template(statements, **values))

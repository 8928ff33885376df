"""Vhosts and accounts in the RabbitMQ that the cluster runs, made on the host that has it.

After the cluster, which starts it; before the first service that signs in to the bus. The hosts that do not have it
remember which accounts were last made, so that a failover between two runs makes none of them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import broker_accounts
from fournines.services.broker import SHARED, UNIT
from fournines.services.resource import Resource
from fournines.services.service import Check, HaPattern, Service


class RabbitmqAccounts(Service):
    name: ClassVar[str] = "rabbitmq_accounts"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("messaging",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"messaging": "shared"}
    needs: ClassVar[tuple[str, ...]] = ("rabbitmq_shared", "pacemaker")

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        wanted = broker_accounts.wanted(cloud, host.region, SHARED.address(cloud.region_of(host)))
        yield from wanted.files
        yield SHARED.task("rabbitmq accounts", wanted.check, wanted.script, wanted.document, timeout=wanted.timeout)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        wanted = broker_accounts.wanted(cloud, host.region, SHARED.address(cloud.region_of(host)))
        script = f'{SHARED.here} || exit 0\nsaid=$({wanted.check})\necho "$said"\n[ "$said" = ok ]'
        yield Check("the bus has every account, where it runs", host.name, script, within=60, unit=UNIT)

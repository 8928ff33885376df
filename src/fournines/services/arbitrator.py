"""Galera's arbitrator: a member of the group that keeps no data, so that two database nodes have a majority without a
third copy.

It joins as any member, receives every write set and drops it; it can neither be read from nor be a state's donor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import mariadb, tls
from fournines.services.capabilities import Port, members
from fournines.services.render import template
from fournines.services.resource import File, Package, Resource, Unit
from fournines.services.service import Check, HaPattern, Service

UNIT = "fournines-arbitrator.service"
CERTIFICATES = f"{tls.DIRECTORY}/arbitrator"


class Arbitrator(Service):
    name: ClassVar[str] = "arbitrator"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("witness",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"database": "galera"}
    needs: ClassVar[tuple[str, ...]] = ("base", "agent", "mariadb")
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (Port(4567, "tcp", "its own members", "Galera group communication"),)
    arbitrates: ClassVar[str] = "mariadb"

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        nodes = ",".join(f"{h.address}:4567" for h in cloud.hosts_of(self.arbitrates, host.region))
        text = template(
            "arbitrator/fournines-arbitrator.service.j2",
            nodes=nodes,
            group=mariadb.group_name(cloud, cloud.region_of(host)),
            # systemd hands the files of the folder to the unit's own user.
            options=mariadb.group_options(cloud, host, f"/run/credentials/{UNIT}"),
            certificates=CERTIFICATES if tls.encrypted(cloud) else "",
        )
        restart = (f"restart:{UNIT}",)
        yield Package("galera-arbitrator-4")
        if tls.encrypted(cloud):
            yield from tls.files(
                CERTIFICATES,
                "root",
                restart,
                member=tls.member_pem(cloud, host, self.arbitrates),
                members=tls.member_ca(cloud, host.region, self.arbitrates),
            )
        yield File(f"/etc/systemd/system/{UNIT}", text, triggers=restart)
        yield Unit(UNIT)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        node = cloud.hosts_of(self.arbitrates, host.region)[0]
        size = len(members(cloud, host.region, self.arbitrates))
        yield Check("Galera counts the arbitrator", node.name, mariadb.primary_of(size), within=60, unit=mariadb.UNIT)

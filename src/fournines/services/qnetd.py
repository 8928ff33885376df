"""The quorum device: a small host that votes in the cluster, so that of two members one that is left is a majority.

It runs nothing of the cluster. A member that it hears and whose peer it does not hear gets its vote; where it hears
both, and they do not hear one another, exactly one of them does. Lost itself, two members that see one another go on.

Members and device know one another by certificates of an authority that signs for them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import nss, quorum_device, tls
from fournines.services.capabilities import Port
from fournines.services.drop_in import drop_in
from fournines.services.render import HEADER
from fournines.services.resource import File, Package, Resource, Unit
from fournines.services.service import Check, HaPattern, Service

UNIT = "corosync-qnetd.service"
DIRECTORY = "/etc/corosync/qnetd/nssdb"


class Qnetd(Service):
    name: ClassVar[str] = "qnetd"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("witness",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"cluster": "pacemaker"}
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(quorum_device.PORT, "tcp", "its own members", "the cluster's quorum device, over TLS"),
    )
    arbitrates: ClassVar[str] = quorum_device.GROUP

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        options = f"-4 -l {host.address} -s req -c on"
        yield Package("corosync-qnetd")
        yield File(
            "/etc/default/corosync-qnetd",
            f'{HEADER}COROSYNC_QNETD_OPTIONS="{options}"\n',
            triggers=(f"restart:{UNIT}",),
        )
        yield from nss.database(
            self.name,
            DIRECTORY,
            "QNetd Cert",
            tls.member_pem(cloud, host, self.arbitrates),
            tls.member_ca(cloud, host.region, self.arbitrates),
            group="coroqnetd",
            unit=UNIT,
        )
        yield from drop_in(UNIT)
        yield Unit(UNIT)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        script = "corosync-qnetd-tool -s"
        yield Check("the quorum device answers", host.name, script, within=30, unit=UNIT)

"""One RabbitMQ on a disk that several hosts see (a LUN), on one of them at a time: which one, Pacemaker decides.

Mount, address and broker are one group, started in this order on one host. Before it starts anywhere else, the host
that had it is known to be off (fencing) or has stopped it. Clients connect to an address that moves with it
(`vips.messaging`), and come back by themselves as they do to a cluster's next node.

Its queues are quorum queues here too, of one member: what is confirmed has been written to the LUN and flushed, so the
next start has it. Its node has the same name on every host, `rabbit@localhost`, for its data know it by that, and
speaks Erlang's distribution with nobody but this host's own tools.

Its health is a message that the cluster publishes every few seconds, and fetches once it is confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import broker, broker_accounts, quoting, tls
from fournines.services.broker import CERTIFICATES, CONFIG, ENVIRONMENT, LOCAL, SHARED, UNIT
from fournines.services.capabilities import Port, Single
from fournines.services.cib import Managed
from fournines.services.drop_in import drop_in
from fournines.services.options import operators
from fournines.services.rabbitmq import Rabbitmq
from fournines.services.render import flat, program
from fournines.services.resource import File, Package, Resource
from fournines.services.rotation import Rotation
from fournines.services.safeguard import Safeguard, is_set
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed
from fournines.timing import timers
from fournines.timing.fencing import KILLED_BEFORE

HEALTH = "/usr/lib/fournines/broker-health"
NODE = "rabbit@localhost"
#: Options of a member of a cluster, which mean something else here or nothing.
_OF_MEMBERS = (
    *("cluster_partition_handling", "quorum_queue.initial_cluster_size", "listeners.tcp.1"),
    *("distribution.listener.interface", "management.tcp.ip"),
)
_ELSEWHERE = "clients reach it at `vips.messaging`, which moves with it"


class RabbitmqShared(Service):
    name: ClassVar[str] = "rabbitmq_shared"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_PASSIVE
    roles: ClassVar[tuple[str, ...]] = ("messaging",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"messaging": "shared"}
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    rolling: ClassVar[Rolling] = "one-by-one"
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    clustered: ClassVar[tuple[str, ...]] = (UNIT,)
    luns: ClassVar[Mapping[str, str]] = {SHARED.name: SHARED.data}
    entrances: ClassVar[tuple[Port, ...]] = (
        Port(broker.TLS_PORT, "tcp", "every host", "AMQP over TLS"),
        Port(broker.PORT, "tcp", "every host", "AMQP, where `tls.internal` is not `required`", always=False),
    )
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {"rabbitmq.conf": (Timed("", "heartbeat", "amqp_heartbeat"),)}
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *(g for g in Rabbitmq.guarded if g.option not in _OF_MEMBERS),
        *(
            Safeguard("rabbitmq.conf", "", *rest, fatal=True)
            for rest in (
                ("cluster_partition_handling", is_set, "it is no member of a cluster", "remove it"),
                ("listeners.tcp.1", is_set, _ELSEWHERE, "vips.messaging"),
                ("listeners.ssl.1", is_set, _ELSEWHERE, "vips.messaging"),
                ("distribution.listener.interface", is_set, "it speaks with this host's own tools alone", "remove it"),
                ("management.tcp.ip", is_set, _ELSEWHERE, "vips.messaging"),
                ("management.ssl.ip", is_set, _ELSEWHERE, "vips.messaging"),
            )
        ),
    )

    def rotations(self) -> Mapping[str, Rotation]:
        return broker_accounts.ROTATIONS

    def failover(self, cloud: Cloud) -> float:
        return SHARED.failover(cloud)

    def address(self, cloud: Cloud, region: Region) -> IPv4Address:
        return SHARED.address(region)

    def singles(self, cloud: Cloud, region: Region) -> tuple[Single, ...]:
        return SHARED.singles(region)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region, restart = cloud.region_of(host), (f"restart:{UNIT}",)
        yield Package("rabbitmq-server")
        yield broker.cookie(cloud, restart)
        yield File("/etc/rabbitmq/enabled_plugins", "[rabbitmq_management].\n", triggers=restart)
        if tls.encrypted(cloud):
            yield from tls.files(CERTIFICATES, "rabbitmq", restart, ca=tls.internal_ca(cloud))
            yield from broker.certificate(cloud, host)
        yield File(ENVIRONMENT, f"NODENAME={NODE}\n", triggers=restart)
        yield File(CONFIG, _config(cloud, region), mode=0o640, group="rabbitmq", secret=True, triggers=restart)
        yield File(HEALTH, program("broker_health.py"), mode=0o755)
        yield broker_accounts.login(cloud, self.address(cloud, region))
        spans = SHARED.spans(timers(cloud))
        start, stop = f"{spans.start:g}s", f"{spans.stop - KILLED_BEFORE:g}s"
        yield from drop_in(UNIT, "rabbitmq_shared/unit.conf.j2", datadir=SHARED.data, start=start, stop=stop)
        yield from drop_in("epmd.socket", "rabbitmq/epmd.conf.j2", triggers=restart, addresses=[LOCAL])
        yield from SHARED.resources(cloud, host, ("chown", "rabbitmq:rabbitmq", "DIRECTORY"))

    def managed(self, cloud: Cloud, region: Region) -> Iterable[Managed]:
        return SHARED.managed(cloud, region)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        return SHARED.checks(cloud, host, "the broker confirms a message, where it runs", f"{HEALTH} ask")


def _config(cloud: Cloud, region: Region) -> str:
    address = SHARED.address(region)
    settings = {
        "cluster_name": f"{cloud.name}-{region.name}",
        "default_queue_type": "quorum",
        **broker.listeners(cloud, address),
        "distribution.listener.interface": LOCAL,
        **broker.serves(cloud, address),
        **broker.begins(cloud),
    }
    return flat(settings, operators(cloud, "rabbitmq_shared", "rabbitmq.conf"), encode=quoting.rabbitmq)

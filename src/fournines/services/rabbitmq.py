"""RabbitMQ: a quorum of nodes, queues replicated by Raft.

Clients hold the list of nodes, not a VIP: a client that loses its node goes to the next one in one reconnect, and a
load balancer between them would only add a hop that can fail. Every queue is a quorum queue by default, so a node's
loss moves leaders and loses no confirmed message. A node in a minority pauses itself (`pause_minority`).

A member more or less restarts no node: the list of members is in a file of its own, which a node reads when it first
starts. A node that joins gets copies of the queues, and one that leaves hands its own on.

Nodes of a new cluster wait for one another, so they are started together and without blocking; alone, the first one
would hold `systemctl start` for ten minutes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import broker, broker_accounts, monitoring, quoting, tls
from fournines.services.broker import (
    CERTIFICATES,
    CONFIG,
    DATA,
    ENVIRONMENT,
    LOCAL,
    MANAGEMENT_PORT,
    PORT,
    TLS_MANAGEMENT_PORT,
    TLS_PORT,
    UNIT,
    port,
)
from fournines.services.capabilities import Port
from fournines.services.drop_in import drop_in
from fournines.services.options import operators
from fournines.services.render import flat, program, template
from fournines.services.resource import Directory, File, Package, Resource, Task, Unit
from fournines.services.rotation import Rotation
from fournines.services.safeguard import Safeguard, below, is_set, per_host, unless, when
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed
from fournines.timing import timers
from fournines.timing.timers import Timers

METRICS = "/etc/rabbitmq/metrics"
DISTRIBUTION = "/etc/rabbitmq/distribution.config"
MAINTENANCE = "/usr/lib/fournines/rabbitmq-maintenance"
FORMATION = "/etc/rabbitmq/conf.d/10-fournines-members.conf"
MEMBERS = "/usr/lib/fournines/rabbitmq-members"
#: Says that this host's node has copies of the queues that were there when it joined.
GROWN = "/var/lib/fournines/rabbitmq-grown"


class Rabbitmq(Service):
    name: ClassVar[str] = "rabbitmq"
    pattern: ClassVar[HaPattern] = HaPattern.QUORUM
    roles: ClassVar[tuple[str, ...]] = ("messaging",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"messaging": "rabbitmq"}
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    rolling: ClassVar[Rolling] = "one-by-one"
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "rabbitmq.conf": (Timed("", "net_ticktime", "net_ticktime"), Timed("", "heartbeat", "amqp_heartbeat"))
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = tuple(
        Safeguard("rabbitmq.conf", "", *rest[:-1], fatal=rest[-1])
        for rest in (
            (
                "cluster_partition_handling",
                when("autoheal"),
                "both sides of a partition serve, and when it ends the "
                "smaller side's nodes restart and forget what they had confirmed",
                "pause_minority",
                False,
            ),
            (
                "cluster_partition_handling",
                when("ignore"),
                "after a partition the brokers stay apart until a person restarts them",
                "pause_minority",
                True,
            ),
            (
                "cluster_partition_handling",
                when("pause_if_all_down"),
                "it needs a list of nodes, and pauses the wrong side when those are the ones cut off",
                "pause_minority",
                False,
            ),
            (
                "default_queue_type",
                unless("quorum"),
                "a queue that is declared without a type lives on one broker, and is lost with it",
                "quorum",
                False,
            ),
            (
                "cluster_formation.*",
                is_set,
                "the members are the hosts that carry rabbitmq: another list makes a cluster of its own",
                "remove it",
                True,
            ),
            (
                "listeners.tcp.1",
                per_host,
                "each broker listens on its own address",
                "listeners.tcp.NAME for another one",
                True,
            ),
            ("distribution.listener.interface", per_host, "each broker has its own address", "remove it", True),
            ("management.tcp.ip", per_host, "each broker has its own address", "remove it", True),
            (
                "management.tcp.port",
                is_set,
                "accounts are made, and the brokers watched, through port 15672",
                "remove it",
                True,
            ),
            (
                "default_pass",
                is_set,
                "passwords are secrets: everybody who reads this file would have it",
                "remove it",
                True,
            ),
            ("default_user", is_set, "accounts are made by the one that fournines knows", "remove it", True),
            (
                "loopback_users*",
                when("false", "none"),
                "guest, whose password everybody knows, may sign in from any host",
                "remove it",
                False,
            ),
            (
                "quorum_queue.initial_cluster_size",
                below(3),
                "new queues have fewer copies than a quorum that survives needs",
                "remove it",
                False,
            ),
            (
                "vm_memory_high_watermark.relative",
                below(0.2),
                "publishers are stopped while memory is free",
                "remove it",
                False,
            ),
            (
                "tcp_listen_options.keepalive",
                when("false"),
                "connections of dead clients stay for ever",
                "remove it",
                False,
            ),
        )
    )
    ports: ClassVar[tuple[Port, ...]] = (
        Port(TLS_PORT, "tcp", "every host", "AMQP over TLS"),
        Port(PORT, "tcp", "every host", "AMQP, where `tls.internal` is not `required`", always=False),
        Port(TLS_MANAGEMENT_PORT, "tcp", "its own members", "management API over TLS"),
        Port(MANAGEMENT_PORT, "tcp", "its own members", "management API, where TLS inside is off", always=False),
        Port(monitoring.RABBITMQ_PORT, "tcp", "the scrapers", "metrics, over TLS", always=False),
        Port(4369, "tcp", "its own members", "Erlang port mapper"),
        Port(25672, "tcp", "its own members", "Erlang distribution"),
        Port(6000, "tcp", "its own members", "replication of streams", last=6500, always=False),
        Port(35672, "tcp", (), "rabbitmqctl, while it runs", last=35682, always=False),
    )

    def rotations(self) -> Mapping[str, Rotation]:
        return broker_accounts.ROTATIONS

    #: A node that the cluster has forgotten does not start with what it knew.
    left: ClassVar[str] = f"rm -rf {DATA}.left {GROWN}\n[ ! -e {DATA} ] || mv {DATA} {DATA}.left"

    def hands_over(self, cloud: Cloud, host: Host, name: str) -> Iterable[Resource]:
        yield _members_task(f"RabbitMQ's queues have no copy on {name}", name, "left", "leave")

    def forgets(self, cloud: Cloud, host: Host, name: str) -> Iterable[Resource]:
        yield _members_task(f"RabbitMQ has no member {name}", name, "forgotten", "forget")

    def failover(self, cloud: Cloud) -> float:
        """A client leaves the dead node's connection after `tcp_user_timeout` (without one, after two heartbeats), and
        its queues have another leader once the brokers have missed the node, whichever takes longer."""
        t = timers(cloud)
        client = (t.tcp_user_timeout or 2 * t.amqp_heartbeat) + t.amqp_reconnect_delay
        broker = min(t.tcp_user_timeout, t.net_ticktime / 3) if t.tcp_user_timeout else 1.25 * t.net_ticktime
        return max(client, broker)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        restart = (f"restart:{UNIT}",)
        yield Package("rabbitmq-server")
        yield broker.cookie(cloud, restart)
        measured = monitoring.monitored(cloud, host.region)
        plugins = "rabbitmq_management,rabbitmq_prometheus" if measured else "rabbitmq_management"
        yield File("/etc/rabbitmq/enabled_plugins", f"[{plugins}].\n", triggers=restart)
        if measured:
            yield from tls.files(
                METRICS,
                "rabbitmq",
                restart,
                server=tls.host_pem(cloud, host),
                clients=tls.member_ca(cloud, host.region, monitoring.READER),
            )
        if tls.encrypted(cloud):
            yield from tls.files(
                CERTIFICATES,
                "rabbitmq",
                restart,
                ca=tls.internal_ca(cloud),
                member=tls.member_pem(cloud, host, self.name),
                members=tls.member_ca(cloud, host.region, self.name),
            )
            yield from broker.certificate(cloud, host)
            text = template("rabbitmq/distribution.config.j2", directory=CERTIFICATES)
            yield File(DISTRIBUTION, text, triggers=restart)
        yield _step(cloud)
        yield File(ENVIRONMENT, _environment(cloud, host), triggers=restart)
        yield File(
            CONFIG,
            _config(cloud, host),
            mode=0o640,
            group="rabbitmq",
            secret=True,
            triggers=restart,
        )
        yield Directory(str(PurePosixPath(FORMATION).parent))
        yield File(FORMATION, _formation(cloud, host))
        yield File(MAINTENANCE, program("rabbitmq_maintenance.py"), mode=0o755)
        yield File(MEMBERS, program("rabbitmq_members.py"), mode=0o755)
        yield broker_accounts.login(cloud, host.address)
        yield from drop_in(UNIT, "rabbitmq/unit.conf.j2", triggers=restart, maintenance=MAINTENANCE)
        yield from drop_in("epmd.socket", "rabbitmq/epmd.conf.j2", triggers=restart, addresses=[LOCAL, host.address])
        yield Unit(UNIT, block=False)
        yield _grown(host)
        if entry := cloud.maintenance.get(host.name):
            yield _maintenance(cloud, host, entry.drained)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from broker_accounts.resources(cloud, host)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        members = len(cloud.hosts_of(self.name, host.region))
        yield Check(
            "RabbitMQ runs with all members",
            host.name,
            f"rabbitmqctl -q --timeout 20 await_online_nodes {members}",
            within=180,
            unit=UNIT,
            alone="rabbitmq-diagnostics -q --timeout 10 check_running",
        )


def node(host: Host) -> str:
    return node_name(host.name)


def node_name(host: str) -> str:
    return f"rabbit@{host}"


def _config(cloud: Cloud, host: Host) -> str:
    t = timers(cloud)
    settings: dict[str, Any] = {
        "cluster_name": f"{cloud.name}-{host.region}",
        "cluster_partition_handling": "pause_minority",
        "net_ticktime": math.ceil(t.net_ticktime),
        # Raft's own failure detector: how soon a queue elects a leader when a node is silent without a closed socket.
        "raft.adaptive_failure_detector.poll_interval": round(1000 * min(5.0, t.net_ticktime / 24)),
        "default_queue_type": "quorum",
        "queue_leader_locator": "balanced",
        **broker.listeners(cloud, host.address),
        "distribution.listener.interface": host.address,
        **broker.serves(cloud, host.address),
        **_metrics(cloud, host),
        **broker.begins(cloud),
    }
    return flat(settings, operators(cloud, "rabbitmq", "rabbitmq.conf"), encode=quoting.rabbitmq)


def _formation(cloud: Cloud, host: Host) -> str:
    """Whom a node that is new looks for. RabbitMQ reads it beside its main file."""
    members = cloud.hosts_of("rabbitmq", host.region)
    settings: dict[str, Any] = {
        "cluster_formation.peer_discovery_backend": "classic_config",
        **{f"cluster_formation.classic_config.nodes.{i}": node(m) for i, m in enumerate(members, 1)},
    }
    return flat(settings, {})


def _grown(host: Host) -> Task:
    """A node that joins has no copy of any queue that is there, and would survive nobody's loss."""
    return Task(
        name="RabbitMQ's queues have copies here",
        check=f"cat {GROWN} 2>/dev/null || true",
        want=node(host),
        script=f"{MEMBERS} grow {node(host)}\necho {node(host)} > {GROWN}",
        timeout=900,
    )


def _members_task(what: str, name: str, asks: str, does: str) -> Task:
    member = node_name(name)
    return Task(what, f"{MEMBERS} {asks} {member}", f"{MEMBERS} {does} {member}", timeout=1800, python=True)


def _metrics(cloud: Cloud, host: Host) -> dict[str, Any]:
    """Without a listener of its own, the plugin opens one to anybody."""
    if not monitoring.monitored(cloud, host.region):
        return {}
    return {
        "prometheus.ssl.ip": host.address,
        "prometheus.ssl.port": monitoring.RABBITMQ_PORT,
        "prometheus.ssl.cacertfile": f"{METRICS}/clients.pem",
        "prometheus.ssl.certfile": f"{METRICS}/server.pem",
        "prometheus.ssl.keyfile": f"{METRICS}/server.pem",
        "prometheus.ssl.verify": "verify_peer",
        "prometheus.ssl.fail_if_no_peer_cert": True,
    }


def _environment(cloud: Cloud, host: Host) -> str:
    """Shell: what the node and rabbitmqctl are started with. Between nodes, and from rabbitmqctl, TLS in which both
    sides show the certificate of a member."""
    secure = f"-proto_dist inet_tls -ssl_dist_optfile {DISTRIBUTION}" if tls.required(cloud) else ""
    arguments = {
        "NODENAME": node(host),
        "SERVER_ADDITIONAL_ERL_ARGS": f"'{' '.join(filter(None, [secure, _distribution(timers(cloud))]))}'",
        "CTL_ERL_ARGS": f"'{secure}'",
    }
    return "".join(f"{name}={value}\n" for name, value in arguments.items() if value != "''")


def _step(cloud: Cloud) -> Task:
    """Refuses what no node after another can do: nodes with TLS between them and nodes without never speak."""
    other = "without" if tls.required(cloud) else "with"
    words = {"with": "has TLS between its nodes", "without": "has no TLS between its nodes"}
    return Task(
        name="the nodes can change over one by one",
        check=(
            f"[ -e {CONFIG} ] && systemctl -q is-active {UNIT} || {{ echo ok; exit 0; }}\n"
            f"grep -q inet_tls {ENVIRONMENT} && now=with || now=without\n"
            f'[ $now = {other} ] && echo "{words[other]}: needs a full stop" || echo ok'
        ),
        script=(
            f"echo 'RabbitMQ {words[other]}, and nodes with and without it do not speak with one another: stop all of"
            f" them (systemctl stop {UNIT} on every host of the role messaging), then apply again' >&2\nexit 1"
        ),
    )


def _distribution(t: Timers) -> str:
    """Erlang arguments that end the connection to a node which acknowledges nothing (TCP_USER_TIMEOUT, tcp(7)), both
    ways. net_ticktime alone notices a host without power after 0.75 to 1.25 of itself, and until then its queues have
    no leader. A live but busy node's kernel still acknowledges, so this trips on no load."""
    if not t.tcp_user_timeout:
        return ""
    option = f"[{{raw,6,18,<<{round(1000 * min(t.tcp_user_timeout, t.net_ticktime / 3))}:32/native>>}}]"
    return f"-kernel inet_dist_connect_options {option} -kernel inet_dist_listen_options {option}"


def _maintenance(cloud: Cloud, host: Host, drained: bool) -> Task:
    """Maintenance mode: no client, no queue's leader. Told by the port, which a probe reads at no cost."""
    state = f"ss -Hltn 'sport = :{port(cloud)}' src {host.address} | grep -q ."
    runs = f"systemctl -q is-active {UNIT}"
    if drained:
        said = f"if {runs} && {state}; then echo 'RabbitMQ takes clients'; else echo ok; fi"
    else:
        said = f"if {runs} && ! {state}; then echo 'RabbitMQ is in maintenance mode'; else echo ok; fi"
    return Task(
        name="RabbitMQ's maintenance mode" if drained else "RabbitMQ takes clients",
        check=said,
        script=f"{MAINTENANCE} {'drain' if drained else 'revive'}",
        timeout=240,
    )

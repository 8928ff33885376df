"""RabbitMQ that does not form its cluster, while the hosts of it answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fournines.operate.recover import room
from fournines.operate.recover.evidence import Asked, Broker, Seen
from fournines.operate.recover.finding import Act, Finding, Shell, change, stage
from fournines.operate.recover.survivors import runs
from fournines.plan.model import Change, Stage
from fournines.services import broker, rabbitmq

_KEPT = "what RabbitMQ has on disk"


def refusing(seen: Seen, asked: Asked) -> Iterator[Finding]:
    """Nodes that a cluster which has its majority does not take back: damaged, or members of another one. They join
    as new ones."""
    serving = _majority(seen)
    if not serving:
        return
    bad = {n: why for n, b in seen.brokers.items() if n not in serving and (why := _why(b, serving))}
    if not bad:
        return
    yield Finding(
        "broker",
        seen.region.name,
        f"RabbitMQ of {', '.join(bad)} does not join the others",
        tuple(bad),
        evidence=tuple(f"{name}: {line}" for name, why in bad.items() for line in why),
        loses=(
            f"nothing of queues that have a majority on {', '.join(serving)}; what only the nodes that are made anew "
            "confirmed stays in the copy",
        ),
        keeps=tuple(f"{name}:{broker.DATA}.kept-{asked.stamp}: {_KEPT}" for name in bad),
        stages=tuple(_rejoin(serving[0], list(bad), asked.stamp)),
    )


def _majority(seen: Seen) -> list[str]:
    """Hosts whose brokers run in one cluster that is more than half of those of the file."""
    views = Counter(b.members for b in seen.brokers.values() if b.runs)
    if not views:
        return []
    members, _ = views.most_common(1)[0]
    found = [n for n, b in seen.brokers.items() if b.runs and b.members == members and rabbitmq.node_name(n) in members]
    return found if 2 * len(found) > len(seen.cloud.hosts_of("rabbitmq", seen.region.name)) else []


def _why(b: Broker, serving: list[str]) -> tuple[str, ...]:
    """Why it does not belong to those that serve, () if nothing says that it will not come by itself."""
    if b.runs and not {rabbitmq.node_name(n) for n in serving} & set(b.members):
        return (f"it runs in a cluster of its own: {', '.join(b.members)}",)
    return () if b.runs else b.errors


def _rejoin(peer: str, bad: list[str], stamp: str) -> Iterator[Stage]:
    nodes = [rabbitmq.node_name(name) for name in bad]
    aside = Act("RabbitMQ's data is moved aside", "recovery_broker", ("aside", stamp), 240)
    yield stage("broker-halt", (change(name, aside, f"kept-{stamp}") for name in bad))
    forget = "\n".join(f"{rabbitmq.MEMBERS} forget {node}" for node in nodes)
    yield stage("forget", [change(peer, Shell("the old nodes are no members", forget, 1800), ", ".join(nodes))])
    start = Act("RabbitMQ runs", "recovery_broker", ("start",), 200)
    yield stage("broker", (change(name, start, f"joins {peer}") for name in bad), [runs(name) for name in bad])
    yield stage("copies", (change(name, _grown(name), "queues have a copy here") for name in bad))


def _grown(host: str) -> Shell:
    node = rabbitmq.node_name(host)
    script = f"{rabbitmq.MEMBERS} grow {node}\necho {node} > {rabbitmq.GROWN}"
    return Shell("RabbitMQ's queues have copies here", script, 1800)


def waiting(seen: Seen, asked: Asked) -> Iterator[Finding]:
    """Every host answers, no broker runs: each waits for one that stopped after it, or for tables that do not load."""
    brokers = seen.brokers
    every = seen.cloud.hosts_of("rabbitmq", seen.region.name)
    stuck = {n: b for n, b in brokers.items() if b.errors and not b.runs}
    if not stuck or len(brokers) < len(every) or any(b.runs for b in brokers.values()):
        return
    room.require(seen.hosts, broker=list(brokers))
    first, *others = sorted(brokers, key=lambda n: (brokers[n].last != (rabbitmq.node_name(n),), len(brokers[n].last)))
    halt = Act("RabbitMQ is stopped, a copy of its data kept", "recovery_broker", ("halt", asked.stamp), 900)
    force = Act("RabbitMQ starts without waiting", "recovery_broker", ("force",), 200)
    start = Act("RabbitMQ runs", "recovery_broker", ("start",), 200)
    yield Finding(
        "broker",
        seen.region.name,
        "no RabbitMQ node starts: each waits for the others",
        tuple(brokers),
        evidence=tuple(f"{name}: {line}" for name, b in stuck.items() for line in b.errors),
        loses=(
            f"users, vhosts and queues that were made after {first} stopped, where that was not the last one; messages "
            "of quorum queues are with their majority",
        ),
        keeps=tuple(f"{name}:{broker.DATA}.kept-{asked.stamp}: {_KEPT}" for name in brokers),
        stages=(
            stage("broker-halt", (change(name, halt, f"kept-{asked.stamp}") for name in brokers)),
            stage(
                "broker",
                [change(first, force, "it was the last to stop, as far as is known"), *_each(others, start, first)],
                [runs(name) for name in brokers],
                [(first,), *([tuple(others)] if others else [])],
            ),
        ),
    )


def _each(names: list[str], act: Act, first: str) -> list[Change]:
    return [change(name, act, f"joins {first}") for name in names]


def leaderless(seen: Seen, asked: Asked) -> Iterator[Finding]:
    """Every broker runs, and queues have lost the majority of their copies all the same: those copies are gone."""
    every = [h.name for h in seen.cloud.hosts_of("rabbitmq", seen.region.name)]
    if not every or not all(n in seen.brokers and seen.brokers[n].runs for n in every):
        return
    dead = [q for q in seen.agents.queues if not q.quorum]
    if not dead:
        return
    first = every[0]
    shrink = Act("queues have a majority", "recovery_broker", ("shrink",), 600)
    grow = "\n".join(f"{rabbitmq.MEMBERS} grow {rabbitmq.node_name(name)}" for name in every)
    yield Finding(
        "broker",
        seen.region.name,
        f"{len(dead)} of {len(seen.agents.queues)} queues have lost most of their copies, and every broker runs",
        tuple(every),
        evidence=tuple(
            f"{q.vhost}/{q.name}: copies on {', '.join(q.members)}; {', '.join(q.online) or 'none'} of them there"
            for q in dead[:10]
        ),
        loses=("messages that only the lost copies had; fanout streams, which their clients declare anew",),
        stages=(
            stage("queues", [change(first, shrink, "the most advanced copy that is left is the only one")]),
            stage("copies", [change(first, Shell("queues have copies", grow, 1800), "on each host")]),
        ),
    )

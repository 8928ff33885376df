"""rabbitmq-members COMMAND NODE: which brokers are members of the cluster, and hold copies of queues and streams.

    grow       NODE gets a copy of every quorum queue and stream that it has none of
    left       prints `ok` when NODE has no copy of any, else how many it has
    leave      what NODE has a copy of gets one on each other running broker, then NODE loses its own
    forgotten  prints `ok` when NODE is no member of the cluster, else what it is
    forget     leave, then the cluster forgets NODE, which must be stopped

Asks the management API of this host's broker, for up to 150 s while that starts. Streams are changed by
rabbitmq-streams, for the API changes quorum queues only.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

#: Where that is, and who may ask.
SETTINGS = Path("/etc/fournines/rabbitmq-api.json")
STARTS = 150.0  # seconds for a broker that starts to answer
ONE = 120.0  # seconds for one queue to get or lose a copy


@dataclass(frozen=True)
class Queue:
    vhost: str
    name: str
    kind: str  # quorum | stream
    members: tuple[str, ...]


class Broker:
    """The one of this host."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._url = settings["url"]
        login = f"{settings['user']}:{settings['password']}".encode()
        self._headers = {
            "Authorization": f"Basic {base64.b64encode(login).decode()}",
            "Content-Type": "application/json",
        }
        trust = ssl.create_default_context(cafile=settings["cafile"]) if settings["cafile"] else None
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )

    def call(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Raises OSError; HTTPError, which is one, where the broker refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/{path}", data, self._headers, method=method)  # noqa: S310  # https, or http where TLS is off
        with self._opener.open(request, timeout=ONE) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def queues(self) -> list[Queue]:
        """All that are replicated."""
        said = self.call("queues?disable_stats=true&enable_queue_totals=false")
        return [
            Queue(q["vhost"], q["name"], q["type"], tuple(q.get("members") or ()))
            for q in said
            if q.get("type") in ("quorum", "stream")
        ]

    def nodes(self) -> dict[str, bool]:
        """Member -> whether it runs."""
        return {node["name"]: bool(node.get("running")) for node in self.call("nodes?columns=name,running")}

    def add(self, queue: Queue, node: str) -> None:
        self._change(queue, node, "add", "POST", "add_replica")

    def delete(self, queue: Queue, node: str) -> None:
        self._change(queue, node, "delete", "DELETE", "delete_replica")

    def _change(self, queue: Queue, node: str, what: str, method: str, command: str) -> None:
        """Ends this program where it cannot be done, unless the queue is gone meanwhile."""
        if queue.kind == "stream":
            words = ["rabbitmq-streams", "-q", "--timeout", str(round(ONE)), command, "--vhost", queue.vhost]
            done = subprocess.run([*words, queue.name, node], text=True, capture_output=True, check=False)
            if done.returncode and self._there(queue):
                said = f"{done.stdout}{done.stderr}".strip()
                sys.exit(f"stream {queue.name} of {queue.vhost}: cannot {what} the copy on {node}: {said}")
            return
        path = f"queues/quorum/{quote(queue.vhost, '')}/{quote(queue.name, '')}/replicas/{what}"
        try:
            self.call(path, method, {"node": node})
        except urllib.error.HTTPError as error:
            if self._there(queue):
                said = error.read(500).decode(errors="replace").strip()
                sys.exit(f"queue {queue.name} of {queue.vhost}: cannot {what} the copy on {node}: {error.code} {said}")

    def _there(self, queue: Queue) -> bool:
        return any((q.vhost, q.name) == (queue.vhost, queue.name) for q in self.queues())


def grow(broker: Broker, node: str) -> None:
    for queue in broker.queues():
        if node not in queue.members:
            broker.add(queue, node)


def leave(broker: Broker, node: str) -> None:
    """A copy elsewhere comes first: two copies of three are a majority that survives nothing."""
    others = [name for name, runs in broker.nodes().items() if runs and name != node]
    for queue in broker.queues():
        if node in queue.members:
            for other in others:
                if other not in queue.members:
                    broker.add(queue, other)
            broker.delete(queue, node)


def forget(broker: Broker, node: str) -> None:
    """Ends this program where NODE still runs: it would go on as a member that nobody counts."""
    leave(broker, node)
    nodes = broker.nodes()
    if nodes.get(node):
        sys.exit(f"{node} still runs: stop it first")
    if node in nodes:
        words = ["rabbitmqctl", "-q", "--timeout", str(round(ONE)), "forget_cluster_node", node]
        if subprocess.run(words, stdout=sys.stderr, check=False).returncode:
            sys.exit(f"the cluster does not forget {node}")


def answering(settings: dict[str, Any]) -> Broker:
    """This host's broker, once it answers. Ends this program where it does not."""
    broker, deadline = Broker(settings), time.monotonic() + STARTS
    while True:
        try:
            broker.call("overview?columns=node")
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"the management API of this host's broker does not answer: {error}")
            time.sleep(0.5)
        else:
            return broker


def main() -> None:
    what, node = sys.argv[1:3]
    settings = json.loads(SETTINGS.read_text())
    if what == "left":
        count = sum(node in queue.members for queue in Broker(settings).queues())
        print(f"{node} has a copy of {count} queues" if count else "ok")
    elif what == "forgotten":
        known = Broker(settings).nodes()
        print(f"{node} is a member that {'runs' if known[node] else 'is down'}" if node in known else "ok")
    else:
        {"grow": grow, "leave": leave, "forget": forget}[what](answering(settings), node)


if __name__ == "__main__":
    main()

"""rabbitmq-maintenance drain | revive | boot: the local node in or out of RabbitMQ's maintenance mode.

In it a node takes no clients and leads no queue; its replicas go on. A node forgets the mode when it stops: `boot`,
which its unit runs at every start, drains it again where /etc/fournines/maintenance.json says that its host is drained.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

WANTED = Path("/etc/fournines/maintenance.json")
TIMEOUT = 90
#: Maintenance mode shuts the management API as well, by which accounts are made and the node is watched.
WATCHED = (
    "[ranch:resume_listener(rabbit_networking:ranch_ref(element(5, L), element(6, L)))"
    " || L <- rabbit_networking:node_client_listeners(node()), lists:member(element(3, L), [http, https])]."
)


def tool(name: str, *words: str) -> None:
    """Ends this program when it fails: its words are in the log."""
    ended = subprocess.run([name, "-q", "--timeout", str(TIMEOUT), *words], stdout=sys.stderr, check=False)
    if ended.returncode:
        sys.exit(f"{name} {words[0]} has failed with status {ended.returncode}")


def drain() -> None:
    tool("rabbitmq-upgrade", "drain")
    tool("rabbitmqctl", "eval", WATCHED)


def wanted(path: Path = WANTED, host: str = "") -> bool:
    """Whether this host is drained."""
    try:
        entry = json.loads(path.read_text()).get(host or os.uname().nodename, {})
        return entry.get("drained") is True
    except (OSError, ValueError, AttributeError):
        return False


def main() -> None:
    if sys.argv[1] == "drain":
        drain()
    elif sys.argv[1] == "revive":
        tool("rabbitmq-upgrade", "revive")
    elif wanted():
        drain()


if __name__ == "__main__":
    main()

"""Runs on a host, with Python's own library alone: what its services take now, as one JSON document.

The argument: {"services": those of this host, "amqp": port, "haproxy": path of the socket, "proxy": the database's}.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ESTABLISHED = "01"


def main() -> None:
    asked = json.loads(sys.argv[1])
    services = asked["services"]
    document = {
        "cores": len(os.sched_getaffinity(0)),
        "memory": 1024 * memory_kib(),
        "resident": 1024 * sum(pss_kib(p) for p in Path("/proc").glob("[0-9]*")),
        "database": database() if {"mariadb", "mariadb_replica"} & set(services) else None,
        "bus": connections(asked["amqp"]) if {"rabbitmq", "rabbitmq_shared"} & set(services) else None,
        "sessions": sessions(asked["haproxy"], asked["proxy"]) if "haproxy" in services else None,
    }
    print(json.dumps(document))


def pss_kib(process: Path) -> int:
    """Its share of memory: pages that several processes have in common count once in the sum. 0 for kernel threads."""
    return int(field(process / "smaps_rollup", "Pss:") or 0)


def memory_kib() -> int:
    return int(field(Path("/proc/meminfo"), "MemTotal:"))


def field(path: Path, name: str) -> str:
    """The word after `name`; "" when there is none, or the process has ended meanwhile."""
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return line.split()[1]
    return ""


def database() -> list[int]:
    """Connections now, and the most since it started."""
    ask = "select variable_value from information_schema.global_status where variable_name = "
    names = ("Threads_connected", "Max_used_connections")
    statements = "".join(f"{ask}'{name}';" for name in names)
    argv = ["mariadb", "--skip-column-names", "--execute", statements]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20)
    return [int(word) for word in done.stdout.split()]


def connections(port: int) -> int:
    """Of clients to `port` of this host."""
    found = 0
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(path).read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            found += state == ESTABLISHED and int(local.rpartition(":")[2], 16) == port
    return found


def sessions(path: str, proxy: str) -> list[int]:
    """Of the frontend `proxy`: now, and the most since HAProxy was loaded."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        connection.sendall(b"show stat\n")
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    rows = csv.DictReader(text.removeprefix("# ").splitlines())
    frontend = next(row for row in rows if row["pxname"] == proxy and row["svname"] == "FRONTEND")
    return [int(frontend["scur"]), int(frontend["smax"])]


if __name__ == "__main__":
    main()

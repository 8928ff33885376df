"""Runs on a host, with Python's own library alone: what its daemons say of themselves, with no agent in between, as one
JSON document. Changes nothing.

The argument: {"services": those of this host, "units": theirs, "vips": addresses}. Of each part that the host carries
there is a value, {"inactive": its unit}, or {"error": why it could not be told}:

    galera     {variable of SHOW GLOBAL STATUS: value}
    rabbitmq   {"running": [broker, …], "alarms": [broker, …], "parted": whether a broker sees a partition}
    haproxy    {"servers": [[proxy, server, status], …], "stale": seconds that its configuration is newer}
    units      [each of the units that has failed]
    vips       [each VIP that the kernel has]
"""

from __future__ import annotations

import base64
import csv
import json
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

API = Path("/etc/fournines/rabbitmq-api.json")
BALANCER = Path("/etc/haproxy/haproxy.cfg")
SOCKET = "/run/haproxy/admin.sock"
#: Part -> its service, its unit.
UNITS = {
    "galera": ("mariadb", "mariadb.service"),
    "rabbitmq": ("rabbitmq", "rabbitmq-server.service"),
    "haproxy": ("haproxy", "haproxy.service"),
}
#: Seconds for one answer.
PATIENCE = 5.0
GALERA = (
    "wsrep_cluster_status",
    "wsrep_local_state_comment",
    "wsrep_cluster_size",
    "wsrep_cluster_state_uuid",
    "wsrep_ready",
)


def galera() -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in GALERA)
    said = run("mariadb", "-N", "-e", f"SHOW GLOBAL STATUS WHERE variable_name IN ({names})")
    return {name.lower(): value for name, value in (line.split("\t", 1) for line in said.splitlines())}


def rabbitmq() -> dict[str, Any]:
    settings = json.loads(API.read_text())
    login = base64.b64encode(f"{settings['user']}:{settings['password']}".encode()).decode()
    request = urllib.request.Request(f"{settings['url']}/nodes", headers={"Authorization": f"Basic {login}"})  # noqa: S310
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if settings["cafile"]:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=settings["cafile"])))
    with urllib.request.build_opener(*handlers).open(request, timeout=PATIENCE) as reply:
        nodes = json.load(reply)
    return {
        "running": sorted(node["name"] for node in nodes if node.get("running")),
        "alarms": sorted(node["name"] for node in nodes if node.get("mem_alarm") or node.get("disk_free_alarm")),
        "parted": any(node.get("partitions") for node in nodes),
    }


def haproxy() -> dict[str, Any]:
    info = dict(line.split(": ", 1) for line in asked("show info").splitlines() if ": " in line)
    began = time.time() - float(info["Uptime_sec"])
    # The uptime is in whole seconds, and a reload takes a moment to read what it was told to.
    stale = max(0.0, BALANCER.stat().st_mtime - began - 2.0)
    rows = csv.DictReader(asked("show stat").removeprefix("# ").splitlines())
    servers = [[r["pxname"], r["svname"], r["status"]] for r in rows if r["svname"] not in ("FRONTEND", "BACKEND")]
    return {"servers": servers, "stale": stale}


def asked(command: str) -> str:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(PATIENCE)
        link.connect(SOCKET)
        link.sendall(f"{command}\n".encode())
        said = bytearray()
        while part := link.recv(65536):
            said += part
    return said.decode()


def failed(units: list[str]) -> list[str]:
    said = run("systemctl", "list-units", "--all", "--state=failed", "--no-legend", "--plain")
    return [unit for unit in units if unit in {line.split()[0] for line in said.splitlines() if line.strip()}]


def held(vips: list[str]) -> list[str]:
    links = json.loads(run("ip", "-json", "-4", "address", "show"))
    addresses = {a["local"] for link in links for a in link.get("addr_info", [])}
    return [vip for vip in vips if vip in addresses]


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout


def runs(unit: str) -> bool:
    return run("systemctl", "show", "-p", "ActiveState", "--value", unit).strip() in ("active", "reloading")


def told(look: Callable[[], Any], unit: str = "") -> Any:
    try:
        return look() if not unit or runs(unit) else {"inactive": unit}
    except subprocess.CalledProcessError as error:
        return {"error": str(error.stderr).strip()[-200:]}
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}


def main() -> None:
    settings = json.loads(sys.argv[1])
    looks = {"galera": galera, "rabbitmq": rabbitmq, "haproxy": haproxy}
    said = {"units": told(lambda: failed(settings["units"])), "vips": told(lambda: held(settings["vips"]))}
    for part, (service, unit) in UNITS.items():
        if service in settings["services"]:
            said[part] = told(looks[part], unit)
    print(json.dumps(said))


if __name__ == "__main__":
    main()

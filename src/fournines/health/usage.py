"""Asks every host at once what its services take: memory, connections."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping
from importlib.resources import files

from fournines.cloud.model import Cloud, Host
from fournines.design.usage import Usage
from fournines.engine.transport import Transport
from fournines.errors import HostError
from fournines.services import broker, haproxy, mariadb
from fournines.services.rendered import Size

GIB = 1024**3
#: Reading the memory of some hundred processes takes a second of a busy host.
ANSWER = 60.0


async def usage(cloud: Cloud, hosts: Mapping[str, Transport]) -> tuple[Usage, ...]:
    """Of those of the cloud's hosts that are in `hosts`. Raises HostError when one does not answer as it should."""
    script = files("fournines.health").joinpath("usage_script.py").read_text(encoding="utf-8")
    asked = (_ask(cloud, host, hosts[host.name], script) for host in cloud.hosts if host.name in hosts)
    return tuple(await asyncio.gather(*asked))


async def _ask(cloud: Cloud, host: Host, transport: Transport, script: str) -> Usage:
    question = {
        "services": sorted(host.services),
        "amqp": broker.port(cloud),
        "haproxy": haproxy.SOCKET,
        "proxy": mariadb.Mariadb.name,
    }
    command = f"python3 - {shlex.quote(json.dumps(question))}"
    done = await transport.run(command, stdin=script, timeout=ANSWER)
    if done.status != 0:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.status}"])[-1]
        next_step = "fournines status says whether its services run"
        raise HostError("what its services take cannot be read", where=host.name, why=last, next=next_step)
    said = json.loads(done.stdout)
    return Usage(
        host=host.name,
        size=Size(said["cores"], said["memory"] / GIB),
        resident=said["resident"] / GIB,
        database=tuple(said["database"]) if said["database"] else None,
        bus=said["bus"],
        sessions=tuple(said["sessions"]) if said["sessions"] else None,
    )

"""Vhosts, accounts and permissions of the bus, and who makes them: the same whichever way its brokers are made highly
available."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from fournines.cloud.model import Cloud, Host
from fournines.services import broker, bus
from fournines.services.accounts import GENERATIONS
from fournines.services.capabilities import UsesMessaging, present
from fournines.services.render import program
from fournines.services.resource import File, Resource, Task
from fournines.services.rotation import Rotation, TwoValid

#: Tag of a compute's accounts: those of hosts that are gone are deleted.
OF_HOST = "host"
DEFINITIONS = "/etc/fournines/rabbitmq.json"
SCRIPT = "/usr/lib/fournines/rabbitmq-definitions"
ROTATIONS: Mapping[str, Rotation] = {
    "messaging": TwoValid(
        "the accounts of the services and computes on the bus",
        lambda cloud: (name for region in cloud.regions for name in bus.secrets(cloud, region)),
    )
}


def accounts(cloud: Cloud, region: str) -> tuple[str, ...]:
    """Vhosts (and accounts of the same name) that the services of `region` ask for."""
    return tuple(name for s in present(cloud, region) if isinstance(s, UsesMessaging) for name in s.vhosts)


def login(cloud: Cloud, address: IPv4Address) -> File:
    """How programs on a broker's host ask the management API at `address`."""
    return File(broker.API, json.dumps(broker.api(cloud, address), indent=2) + "\n", mode=0o600, secret=True)


@dataclass(frozen=True)
class Wanted:
    """All of it, as `script` of `files` makes it through the management API; `check` prints `ok` where all is there.
    timeout: seconds that `script` may take, for it waits for a broker that is starting. document: holds hashes of
    passwords."""

    files: tuple[Resource, ...]
    check: str
    script: str
    document: str = field(repr=False)
    timeout: float = 200.0


def wanted(cloud: Cloud, region: str, address: IPv4Address) -> Wanted:
    """Compared and posted through the management API at `address`: for every probe, rabbitmqctl would start an Erlang
    VM."""
    names = accounts(cloud, region)
    signing_in = list(bus.accounts(cloud, region))
    api = broker.api(cloud, address)
    body: dict[str, Any] = {
        **api,
        "url": f"{api['url']}/definitions",
        "generations": [f"{re.escape(name)}{GENERATIONS}" for name in names],
        "definitions": {
            "vhosts": [{"name": n, "metadata": {"default_queue_type": "quorum"}} for n in names],
            "users": [
                {
                    "name": a.name,
                    "password_hash": _password_hash(a.name, a.password),
                    "hashing_algorithm": "rabbit_password_hashing_sha256",
                    "tags": [OF_HOST] if a.of_host else [],
                }
                for a in signing_in
            ],
            "permissions": [
                {"user": a.name, "vhost": a.vhost, "configure": a.configure, "write": a.write, "read": a.read}
                for a in signing_in
            ],
        },
    }
    document = json.dumps(body, indent=2) + "\n"
    return Wanted(
        files=(
            File(SCRIPT, program("rabbitmq_definitions.py"), mode=0o755),
            File(DEFINITIONS, document, mode=0o600, secret=True),
        ),
        # What lies on the host while it is probed may be an older document.
        check=f"{SCRIPT} check {hashlib.sha256(document.encode()).hexdigest()}",
        script=f"{SCRIPT} apply",
        document=document,
    )


def resources(cloud: Cloud, host: Host) -> Iterable[Resource]:
    """Of a cluster's broker on `host`."""
    made = wanted(cloud, host.region, host.address)
    yield from made.files
    yield Task("rabbitmq accounts", made.check, made.script, python=True, timeout=made.timeout)


def _password_hash(name: str, password: str) -> str:
    """RabbitMQ's SHA-256 format: 4 bytes of salt, digest. The salt follows from the name, so that two runs agree; the
    passwords are random, so that it has nothing to protect."""
    salt = hashlib.sha256(name.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()

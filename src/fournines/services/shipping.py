"""The journal, sent to one endpoint beside being kept: to syslog, or to what takes Loki's JSON (`programs/ship.py`).

Per host, and of no service: a host whose endpoint is away writes and serves as before, and sends what its journal still
has once the endpoint is back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from fournines.cloud.model import Cloud, Host
from fournines.errors import CloudFileError
from fournines.services.render import program, template
from fournines.services.resource import File, Resource, Unit
from fournines.services.sandbox import STRICT

UNIT = "fournines-ship.service"
PROGRAM = "/usr/lib/fournines/ship"
SETTINGS = "/etc/fournines/ship.json"
AUTHORITY = "/etc/fournines/ship-ca.crt"
#: Secret that a Loki may want; without it in the secrets file none is sent.
TOKEN = "logs.token"  # noqa: S105, a name


def shipping(cloud: Cloud, host: Host) -> Iterator[Resource]:
    """Nothing where the cloud file names no endpoint; one that was there stops with the file that it read."""
    if not cloud.logs.to:
        return
    restart = (f"restart:{UNIT}",)
    settings = {"to": cloud.logs.to, "cloud": cloud.name, "host": host.name, "ca": AUTHORITY if cloud.logs.ca else ""}
    if TOKEN in cloud.secrets.names():
        settings["token"] = cloud.secrets.get(TOKEN)
    yield File(PROGRAM, program("ship.py"), mode=0o755, triggers=restart)
    if cloud.logs.ca:
        yield File(AUTHORITY, _authority(cloud), triggers=restart)
    # Read by systemd as root, and handed to the unit's own user.
    yield File(SETTINGS, json.dumps(settings, indent=2) + "\n", mode=0o600, secret=True, triggers=restart)
    text = template("shipping/fournines-ship.service.j2", program=PROGRAM, settings=SETTINGS, sandbox=STRICT.lines)
    yield File(f"/etc/systemd/system/{UNIT}", text, triggers=restart)
    yield Unit(UNIT)


def _authority(cloud: Cloud) -> str:
    """Raises CloudFileError."""
    assert cloud.logs.ca
    try:
        text = cloud.logs.ca.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        text, why = "", error.strerror if isinstance(error, OSError) else "it is no PEM"
    else:
        why = "" if "-----BEGIN CERTIFICATE-----" in text else "it holds no certificate"
    if why:
        problem = cloud.places.problem(("logs", "ca"), f"{cloud.logs.ca}: {why}", "name a PEM with the endpoint's CA")
        file = cloud.places.file or cloud.name
        raise CloudFileError(f"{file}: logs cannot be sent", (problem,), next=f"fournines check {file}")
    return text

"""Event handlers of the cloud file, resolved: what `fournines watch` does by itself, and those that every cloud has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Literal, get_args

When = Literal["outage", "daemon.down", "host.unreachable", "certificate.ends", "log.full", "alert"]
Do = Literal["notify", "restart", "drain", "fence", "reboot", "renew", "plan"]

#: What an event is of: a function, a host's unit, a host, a host's file, a host, an alert's name.
EVENTS: Mapping[When, str] = {
    "outage": "a function is not answered well, as `watch` sees it",
    "daemon.down": "a unit on a host is not active, or runs and no longer reports to Nova or Neutron while these serve",
    "host.unreachable": "a host does not answer, or its peers have declared it dead",
    "certificate.ends": "a certificate on a host ends within 30 days",
    "log.full": "the file system of a host's `/var/log` is 90 % full",
    "alert": "Alertmanager has sent an alert that fires, see `watch --alerts`; it is of its host where a label says so",
}
ACTIONS: tuple[Do, ...] = get_args(Do)
#: Actions that are done to the event's host, and those that need its unit too.
OF_HOST: frozenset[Do] = frozenset(("restart", "drain", "fence", "reboot"))
OF_UNIT: frozenset[Do] = frozenset(("restart",))
#: Actions that change more than one host: nothing else is done beside them.
OF_ALL: frozenset[Do] = frozenset(("renew", "plan"))


@dataclass(frozen=True)
class Handler:
    """`of`, `hosts`: shell patterns of what the event is of (function, unit, file) and of its host; (): any. It acts
    once the event has lasted `lasts` and has begun `times` times within `within`; at most `limit` times in `per`, and
    no more where the event is still there `settle` after it acted. Seconds. `receivers`: names; (): all."""

    name: str
    when: When
    do: tuple[Do, ...]
    of: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    lasts: float = 0.0
    times: int = 1
    within: float = 600.0
    limit: int = 3
    per: float = 3600.0
    settle: float = 120.0
    receivers: tuple[str, ...] = ()
    plan: FilePath | None = None
    dry_run: bool = False
    enabled: bool = True


@dataclass(frozen=True)
class Receiver:
    """Who is told. Of a webhook `url` None: it is `receivers.NAME.url` in the secrets file. `server`: HOST:PORT."""

    name: str
    kind: Literal["webhook", "mail", "script"]
    url: str | None = None
    server: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    script: FilePath | None = None


#: Every cloud's, unless its file says otherwise.
SHIPPED: Mapping[str, Handler] = {
    handler.name: handler
    for handler in (
        Handler("compute-agent", "daemon.down", ("restart", "notify"), of=("nova-compute*",), lasts=30.0),
        Handler("flapping-host", "host.unreachable", ("drain", "notify"), times=3, within=1800.0, limit=1),
        # One rotation renews every certificate: what else ends waits for it, and then no longer does.
        Handler(
            "certificate-ends", "certificate.ends", ("renew", "notify"), lasts=60.0, limit=1, per=86_400.0, settle=180.0
        ),
        Handler("log-full", "log.full", ("notify",), lasts=60.0, limit=10),
    )
}

"""What a lost host may cost where Pacemaker starts elsewhere what it ran, once it is fenced, instead of what it may
cost where another copy serves already (decision 57). Pure."""

from __future__ import annotations

from collections.abc import Collection

from fournines.cloud.model import Cloud

#: Seconds from the loss of the host: membership, fencing, an address; beside these a promotion; a mount and InnoDB's
#: recovery; a mount and the start of an Erlang VM; or (services that are passive) the start of an API.
SECONDS = {"vip": 3.0, "replica": 10.0, "database": 20.0, "messaging": 30.0, "services": 15.0}
#: (tier of `pattern:`, its value) -> what the cluster moves then.
_MOVED_BY_PACEMAKER = {
    ("vip", "pacemaker"): "vip",
    ("database", "replica"): "replica",
    ("database", "shared"): "database",
    ("messaging", "shared"): "messaging",
}


def tiers(cloud: Cloud) -> tuple[str, ...]:
    """Of which there is one, which the cluster moves."""
    moved = tuple(what for (tier, value), what in _MOVED_BY_PACEMAKER.items() if getattr(cloud.pattern, tier) == value)
    return (*moved, "services") if cloud.passive else moved


def allowance(
    moved: Collection[str],
    roles: Collection[str],
    *,
    database: bool,
    bus: bool,
    api: bool,
    commits: bool = False,
) -> float:
    """Seconds for which a function may wait for the loss of a host: 0 where nothing that carries it was there alone.

    moved: `tiers`. roles: what the host was, by `vip` and `writer`; of the broker and of services nobody tells from
    outside whose they were. database, bus, api: whether the function needs them. commits: it writes, and the host had
    a copy of the database: a primary waits until the host of the replica that acknowledged is fenced.
    """
    writer = database and "writer" in roles
    struck = {
        "vip": "vip" in roles,
        "replica": writer or commits,
        "database": writer,
        "messaging": bus,
        "services": api,
    }
    return max((SECONDS[tier] for tier in moved if struck[tier]), default=0.0)

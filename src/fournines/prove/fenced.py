"""What a lost host may cost where Pacemaker starts elsewhere what it ran, once it is fenced, instead of what it may
cost where another copy serves already (decision 57). Pure."""

from __future__ import annotations

from collections.abc import Collection

from fournines.cloud.model import Cloud

#: Seconds from the loss of the host, by tier of `pattern:`: membership, fencing, an address; beside these a mount and
#: InnoDB's recovery; or a mount and the start of an Erlang VM; or (services that are passive) the start of an API.
SECONDS = {"vip": 3.0, "database": 20.0, "messaging": 30.0, "services": 15.0}
_MOVED_BY_PACEMAKER = {"vip": "pacemaker", "database": "shared", "messaging": "shared"}


def tiers(cloud: Cloud) -> tuple[str, ...]:
    """Of which there is one, which the cluster moves."""
    moved = tuple(tier for tier, value in _MOVED_BY_PACEMAKER.items() if getattr(cloud.pattern, tier) == value)
    return (*moved, "services") if cloud.passive else moved


def allowance(moved: Collection[str], roles: Collection[str], *, database: bool, bus: bool, api: bool) -> float:
    """Seconds for which a function may wait for the loss of a host: 0 where nothing that carries it was there alone.

    moved: `tiers`. roles: what the host was, by `vip` and `writer`; of the broker and of services nobody tells from
    outside whose they were. database, bus, api: whether the function needs them.
    """
    struck = {"vip": "vip" in roles, "database": database and "writer" in roles, "messaging": bus, "services": api}
    return max((SECONDS[tier] for tier in moved if struck[tier]), default=0.0)

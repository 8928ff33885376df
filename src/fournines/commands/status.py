"""What the agents say, again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from fournines.cloud.model import Cloud, Host
from fournines.engine import SshOptions, connect
from fournines.health.cluster import Cluster
from fournines.health.look import look


async def looks(cloud: Cloud, hosts: Sequence[Host], ssh: SshOptions) -> AsyncIterator[Cluster]:
    """One after another, over connections that are kept; hosts that were away are tried again each time."""
    while True:
        async with connect(hosts, ssh) as connected:
            lost = False
            while not lost:
                seen = await look(cloud, connected, connected.failures)
                yield seen
                lost = bool(connected.failures) or any(r.unknown for r in seen.regions)

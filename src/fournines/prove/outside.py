"""Who holds the VIPs and who takes the writes, seen from outside the agents.

The VIPs by ARP, or by the hosts' kernels where ARP does not reach; the writer by the database, through the VIP."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiomysql
import pymysql

from fournines.agent.observer.pacemaker import COMMAND, parse
from fournines.errors import FourninesError, ProveError
from fournines.prove.faults.target import MEMBERS, ROUTERS, Standing, moving_subjects
from fournines.prove.load.http import trusting
from fournines.prove.load.spec import Database
from fournines.prove.site import Site
from fournines.prove.watch import VIPS, Holders

#: For a VIP that is just moving, or an answer that a busy machine was late with. Seconds.
PATIENCE_S = 2.0
QUERY_S = 5.0

_mysql: Any = aiomysql  # ships no types


async def standing(site: Site, holders: Holders, leader: str = "") -> Standing:
    """Empty of what nobody is, or what cannot be told. Raises ProveError when the VIPs are on two hosts."""
    vip, writer = await asyncio.gather(
        vip_holder(site, holders), acting_writer(site.grounds.database(site.cloud, site.region))
    )
    return Standing(vip, writer, leader)


async def vip_holder(site: Site, holders: Holders) -> str:
    """The host that holds every VIP, "" when nobody answers for one."""
    found: set[str] = set()
    for _ in range(round(PATIENCE_S / 0.1)):
        if holders.unwatched:
            found = await _by_kernel(site)
            break
        answers = [holders.seen.get(name, ()) for name in VIPS]
        found = {host for answer in answers for host in answer}
        if len(found) == 1 and all(answers):
            break
        await asyncio.sleep(0.1)
    if len(found) > 1:
        raise ProveError("the VIPs are not on one host", where=", ".join(sorted(found)), why="seen from outside")
    host = next(iter(found), "")
    return host if host in site.cloud.host_by_name else ""


async def _by_kernel(site: Site) -> set[str]:
    """Hosts whose kernel has one of the VIPs."""
    vips = [getattr(site.region.vips, name) for name in VIPS]
    script = "; ".join(f"ip -4 -o address show to {vip}/32" for vip in vips)

    async def has(host: str) -> bool:
        try:
            return bool((await site.reach.run(host, script, timeout=5.0)).stdout.strip())
        except FourninesError:
            return False

    names = [host.name for host in site.cloud.hosts_of("haproxy", site.region.name)]
    answers = await asyncio.gather(*(has(name) for name in names))
    return {name for name, holds in zip(names, answers, strict=True) if holds}


@dataclass(frozen=True, slots=True)
class Managed:
    """As the fields of `Standing` of these names."""

    dc: str = ""
    active: str = ""
    runs: Mapping[str, str] = field(default_factory=dict[str, str])


async def cluster(site: Site) -> Managed:
    """What Pacemaker has where, by the word of a member that has the quorum. Empty where there is no cluster, or nobody
    can say."""
    for host in site.cloud.hosts_of(MEMBERS, site.region.name):
        try:
            said = parse((await site.reach.run(host.name, " ".join(COMMAND), timeout=10.0)).stdout)
        except (FourninesError, OSError, ValueError, SyntaxError):  # ElementTree.ParseError is a SyntaxError
            continue
        if not said["quorum"]:
            continue
        single = [r for r in said["resources"] if r["agent"].startswith(("ocf:", "systemd:")) and not _cloned(r)]
        carried = Counter(name for r in single for name in r["on"])
        on = {r["name"]: r["on"][0] for r in single if r["on"]}
        runs = {subject: on[id] for subject, id in moving_subjects(site.cloud).items() if id in on}
        return Managed(said["dc"], max(carried, key=lambda name: carried[name], default=""), runs)
    return Managed()


def _cloned(resource: dict[str, Any]) -> bool:
    return resource["in"].endswith("-clone")


async def router(site: Site) -> str:
    """The host with most addresses on routers' ports: of each router only the active copy has them. "" without one."""
    script = (
        "for ns in $(ip netns list 2>/dev/null | awk '/^qrouter-/ {print $1}'); do "
        "ip -n \"$ns\" -4 -o address show; done | grep -c -E ' q[rg]-' || true"
    )
    names = [host.name for host in site.cloud.hosts_of(ROUTERS, site.region.name)]

    async def count(host: str) -> int:
        try:
            return int((await site.reach.run(host, script, timeout=10.0)).stdout.strip() or 0)
        except (FourninesError, ValueError):
            return 0

    counts = dict(zip(names, await asyncio.gather(*(count(name) for name in names)), strict=True))
    return max(counts, key=lambda name: counts[name]) if any(counts.values()) else ""


async def acting_writer(database: Database) -> str:
    """The node that the writer's path leads to, as it calls itself; "" when none answers."""
    try:
        async with asyncio.timeout(QUERY_S):
            connection = await _mysql.connect(
                host=database.host,
                port=database.port,
                user=database.user,
                password=database.password,
                db=database.schema,
                ssl=trusting(database.cafile),
            )
            try:
                cursor = await connection.cursor()
                await cursor.execute("SELECT IF(@@wsrep_on, @@wsrep_node_name, @@hostname)")
                return str((await cursor.fetchone())[0])
            finally:
                connection.close()
    except (pymysql.MySQLError, OSError, TimeoutError):
        return ""

"""One node's data that cannot be read, and members that hold different histories: a node's data directory is moved
aside, stays as it is, and the node takes a copy from the others."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from fournines.errors import PlanError
from fournines.operate.recover import room
from fournines.operate.recover.evidence import Asked, Database, Seen
from fournines.operate.recover.finding import Act, Finding, Shell, change, stage
from fournines.plan.model import Change, Stage
from fournines.services import mariadb
from fournines.services.resource import Run
from fournines.services.service import Check

HISTORY = "--history HOST: the one whose database is right"
#: Seconds for a whole copy. Larger databases than that allows go on copying; the same command then waits on.
COPIED = 900.0


def told(d: Database) -> str:
    """What is known of a database, in words."""
    position = f"{d.cluster}:{d.seqno}" if d.cluster else "no position"
    if d.answers:
        return f"MariaDB runs, {'Primary' if d.primary else 'not Primary'}, at {position}"
    if d.waits:
        return f"MariaDB waits for other members, at {position}"
    return f"MariaDB does not run ({d.unit}), {position}"


def histories(databases: Mapping[str, Database]) -> dict[str, list[str]]:
    """Cluster's UUID -> hosts that hold its history."""
    found: dict[str, list[str]] = {}
    for name, d in databases.items():
        if d.cluster:
            found.setdefault(d.cluster, []).append(name)
    return found


# Different histories


def differing(seen: Seen, asked: Asked) -> Iterator[Finding]:
    """Galera copies over whatever a joiner has, and galera-start begins with neither: a person says which is right."""
    groups = histories(seen.databases)
    if len(groups) < 2:
        return
    finding = Finding(
        "histories",
        seen.region.name,
        f"the members of the database hold {len(groups)} histories of their own",
        tuple(name for names in groups.values() for name in names),
        evidence=tuple(line for names in groups.values() for line in _history(seen, names)),
        choose=HISTORY,
    )
    if asked.history not in seen.databases or not seen.databases[asked.history].cluster:
        yield finding
        return
    right = seen.databases[asked.history].cluster
    others = [name for cluster, names in groups.items() if cluster != right for name in names]
    if missing := sorted(seen.unreachable.keys() & {h.name for h in seen.cloud.hosts_of("mariadb", seen.region.name)}):
        raise PlanError(
            "a member of the database does not answer",
            where=", ".join(missing),
            why="which history it holds is not known, and how far: it may be the one that has most of what is right",
            next="bring it back first; or name it with --gone, if it is lost for good",
        )
    room.require(seen.hosts, databases=others)
    yield Finding(
        "histories",
        seen.region.name,
        f"the history of {asked.history} is right, by your word",
        finding.where,
        finding.evidence,
        loses=tuple(f"what only the history on {name} holds; it stays in the copy" for name in others),
        keeps=tuple(kept(name, asked.stamp) for name in others),
        stages=(copied_anew(others, asked.stamp, [n for n in seen.databases if n not in others]),),
    )


def _history(seen: Seen, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        d = seen.databases[name]
        yield f"{name}: {told(d)}; its tables were last written {_when(d.written)}; {_rows(d.rows)}"


def _when(seconds: float) -> str:
    return time.strftime("at %Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds)) if seconds else "at a time that is not known"


def _rows(rows: Mapping[str, int]) -> str:
    counted = ", ".join(f"{table} {count}" for table, count in rows.items())
    return f"rows: {counted}" if counted else "its rows could not be counted"


# Data that cannot be read


def unreadable(seen: Seen, asked: Asked) -> Iterator[Finding]:
    """Of a node that does not start for its data, while others serve."""
    if not seen.primaries:
        return
    # A host without an observer was never brought up: `apply` does.
    bad = {n: d for n, d in seen.databases.items() if d.unreadable and seen.hosts[n].cloud}
    if not bad:
        return
    room.require(seen.hosts, databases=list(bad))
    yield Finding(
        "database",
        seen.region.name,
        f"MariaDB of {', '.join(bad)} cannot read its data",
        tuple(bad),
        evidence=tuple(
            f"{name}: {line}" for name, d in bad.items() for line in (d.errors or ("its data directory is empty",))
        ),
        loses=(f"nothing: {', '.join(seen.primaries)} hold every committed row",),
        keeps=tuple(kept(name, asked.stamp) for name in bad),
        stages=(copied_anew(bad, asked.stamp),),
    )


def kept(host: str, stamp: str) -> str:
    return f"{host}:/var/lib/mysql.kept-{stamp}: its database as it was"


def copied_anew(hosts: Iterable[str], stamp: str, others: Iterable[str] = ()) -> Stage:
    """All at once: galera-start lets one join after another. others: members that wait for these to say that they know
    nothing any more, and begin then."""
    names = list(hosts)
    install = "\n".join(step.script for step in mariadb.INSTALLED.steps() if isinstance(step, Run))
    start = f"systemctl reset-failed {mariadb.UNIT} 2>/dev/null || true\nsystemctl start --no-block {mariadb.UNIT}"
    changes: list[Change] = []
    for name in names:
        aside = Act("the database is moved aside", "recovery_database", ("aside", stamp), 240)
        changes += [
            change(name, aside, f"/var/lib/mysql → /var/lib/mysql.kept-{stamp}"),
            change(name, Shell("a data directory", install, 300), "empty"),
            change(name, Shell("MariaDB starts", start), "it takes a copy from the others"),
        ]
    return stage("databases", changes, [synced(name, COPIED) for name in (*others, *names)])


def synced(host: str, within: float) -> Check:
    return Check("Galera is Primary and Synced", host, mariadb.primary_of(), within=within, unit=mariadb.UNIT)

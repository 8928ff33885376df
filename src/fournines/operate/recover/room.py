"""Whether what is replaced can be kept: refused before anything is, for a full disk in the middle helps nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from fournines.errors import PlanError
from fournines.operate.recover.evidence import Evidence


def require(hosts: Mapping[str, Evidence], *, broker: Collection[str] = (), databases: Collection[str] = ()) -> None:
    """broker: hosts whose RabbitMQ is copied. databases: hosts whose MariaDB takes another copy beside its own.
    Raises PlanError."""
    if lacking := list(_lacking(hosts, broker, databases)):
        raise PlanError(
            "there is no room to keep what is replaced",
            where=", ".join(host for host, _ in lacking),
            why="\n        ".join(f"{host}: {why}" for host, why in lacking),
            next="free some there, or move old copies (kept-…) elsewhere; then the same command again",
        )


def _lacking(
    hosts: Mapping[str, Evidence], broker: Collection[str], databases: Collection[str]
) -> Iterator[tuple[str, str]]:
    for name in broker:
        found = hosts[name].broker
        if found and found.size > found.free:
            yield name, f"RabbitMQ holds {_mib(found.size)}, {_mib(found.free)} are free"
    largest = max((e.database.size for n, e in hosts.items() if e.database and n not in databases), default=0)
    for name in databases:
        database = hosts[name].database
        if database and database.mount:
            yield name, "the database's directory is a file system of its own, and cannot be moved aside"
        elif database and largest > database.free:
            yield name, f"a copy of the database takes {_mib(largest)}, {_mib(database.free)} are free"


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"

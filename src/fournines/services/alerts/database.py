"""Alerts of MariaDB with Galera."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.services.alerts.alert import Alert, Line, Scope, majority, wait
from fournines.services.capabilities import members
from fournines.services.mariadb import Mariadb
from fournines.timing import timers


def database(s: Scope) -> Iterator[Alert]:
    names = s.hosts(Mariadb.name)
    if not names:
        return
    takes = Mariadb().failover(s.cloud)
    yield Alert(
        name="DatabaseWithoutWriter",
        expr=f"(sum({s('fournines_galera_writer')}) or vector(0)) == 0",
        wait=wait(takes),
        severity="critical",
        summary="no MariaDB node takes writes",
        means=f"By this cloud's timers the agents elect another writer within {takes:.2g} s, and they have not. Every "
        "request that stores something fails.",
        run="fournines status CLOUD; on the database's hosts: journalctl -u mariadb -u fournines-observer -n 50",
        samples=tuple(s.on("fournines_galera_writer", n, int(n == names[0]), 0) for n in names),
    )
    yield Alert(
        name="DatabaseWithoutQuorum",
        expr=f"(sum({s('fournines_galera_primary')}) or vector(0)) == 0",
        wait=wait(timers(s.cloud).evs_inactive),
        severity="critical",
        summary="no MariaDB node is in a Primary component",
        means="No group of nodes has a majority of the last one: the database neither reads nor writes.",
        run="fournines status CLOUD (it says which nodes are missing, and what brings them back)",
        samples=tuple(s.on("fournines_galera_primary", n, 1, 0) for n in names),
    )
    yield from _redundancy(s, names)
    yield from _load(s, names)


def _redundancy(s: Scope, names: list[str]) -> Iterator[Alert]:
    every = len(members(s.cloud, s.region.name, Mariadb.name))
    if every > 2:
        need = majority(every)
        yield Alert(
            name="DatabaseNoneToSpare",
            expr=f"max({s('fournines_galera_size')}) < {every} and max({s('fournines_galera_size')}) <= {need}",
            wait=60,
            severity="warning",
            summary=f"{{{{ $value }}}} of {every} members of the Galera cluster are left",
            means=f"A cluster of {every} outlives the loss of {every - need}. Another loss now stops the database, "
            "unless the members that are away were stopped in order.",
            run="fournines status CLOUD; bring the missing nodes back",
            samples=tuple(s.on("fournines_galera_size", n, every, need) for n in names),
        )
    if len(names) > 1:
        yield Alert(
            name="DatabaseNotRedundant",
            expr=f"(sum({s('fournines_galera_synced')}) or vector(0)) < {len(names)}",
            wait=300,
            severity="warning",
            summary=f"{{{{ $value }}}} of {len(names)} MariaDB nodes are Synced",
            means="One is away, or receives its state from another, for longer than a restart takes.",
            run="fournines status CLOUD; on that host: journalctl -u mariadb -n 100",
            samples=tuple(s.on("fournines_galera_synced", n, 1, int(n != names[-1])) for n in names),
        )


def _load(s: Scope, names: list[str]) -> Iterator[Alert]:
    first = names[0]
    if len(names) > 1:
        paused = s("mysql_global_status_wsrep_flow_control_paused_ns")
        yield Alert(
            name="DatabaseFlowControl",
            expr=f"rate({paused}[5m]) / 1e9 > 0.1",
            wait=120,
            severity="warning",
            summary="Galera's flow control has stopped writes for {{ $value | humanizePercentage }} of five minutes",
            means="A node applies transactions more slowly than they are written, and the cluster waits for it: its "
            "disk or its processor is too slow.",
            run="fournines status CLOUD (receive queues); on the slowest node: iostat -x 1 5",
            # Nanoseconds by scrape of SCRAPE seconds.
            samples=(s.on("mysql_global_status_wsrep_flow_control_paused_ns", first, Line(0), Line(0, 2.5e9)),),
        )
        yield Alert(
            name="DatabaseLagging",
            expr=f"{s('fournines_galera_receive_queue')} > 100",
            wait=120,
            severity="warning",
            summary="MariaDB of {{ $labels.host }} has {{ $value }} transactions to apply",
            means="Its disk or processor is too slow. Before long it stops all writers (flow control).",
            run="on the host: iostat -x 1 5; fournines design capacity CLOUD",
            samples=(s.on("fournines_galera_receive_queue", first, 0, 5000),),
        )
    connected, most = "mysql_global_status_threads_connected", "mysql_global_variables_max_connections"
    yield Alert(
        name="DatabaseConnectionsNearLimit",
        expr=f"{s(connected)} / {s(most)} > 0.8",
        wait=120,
        severity="warning",
        summary="MariaDB of {{ $labels.host }} has {{ $value | humanizePercentage }} of its connections in use",
        means="At the limit it refuses services, which then fail their requests.",
        run="fournines design capacity CLOUD; on the writer: mariadb -e 'show processlist'",
        samples=(s.on(connected, first, 100, 950), *s.steady(most, [first], 1000)),
    )

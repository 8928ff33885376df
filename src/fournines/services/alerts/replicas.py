"""Alerts of a database of which the cluster promotes one copy."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.services.alerts.alert import Alert, Scope, wait
from fournines.services.mariadb_replica import MariadbReplica
from fournines.timing import timers

#: Seconds that a replica may be behind, and for which it may be a copy in the making or catch up.
LAG, CATCHES_UP = 30, 300


def replicas(s: Scope) -> Iterator[Alert]:
    names = s.hosts(MariadbReplica.name)
    if not names:
        return
    first, *others = names
    primary = tuple((n, int(n == first)) for n in names)
    yield Alert(
        name="DatabaseWithoutPrimary",
        expr=f"(sum({s('fournines_database_primary')}) or vector(0)) == 0",
        wait=wait(MariadbReplica().failover(s.cloud) + timers(s.cloud).fence_timeout),
        severity="critical",
        summary="no copy of the database is the primary",
        means="Nothing is stored: a lost primary was not fenced, or no replica is known to have every row of it.",
        run="fournines status CLOUD (it says what each copy waits for); on a member: crm_mon -1",
        samples=tuple(s.on("fournines_database_primary", n, is_, 0) for n, is_ in primary),
    )
    yield Alert(
        name="DatabaseWithTwoPrimaries",
        expr=f"sum({s('fournines_database_primary')}) > 1",
        wait=wait(timers(s.cloud).database_monitor),
        severity="critical",
        summary="{{ $value }} copies of the database take writes",
        means="Rows go to one of them and not to the other: one of the two will be kept aside.",
        run="fournines status CLOUD; fournines fence CLOUD HOST off (of the one that Pacemaker has not promoted)",
        samples=tuple(s.on("fournines_database_primary", n, is_, 1) for n, is_ in primary),
    )
    yield Alert(
        name="DatabasePrimaryAlone",
        expr=f"max({s('fournines_database_safe')}) == 0",
        wait=60,
        severity="warning",
        summary="no replica is known to have every acknowledged row",
        means="If the primary is lost now, no replica is promoted by itself: the database is down until it is back.",
        run="fournines status CLOUD; on the replica's host: mariadb -e 'show slave status'",
        samples=(s.on("fournines_database_safe", first, 1, 0),),
    )
    for name in others[:1]:
        yield Alert(
            name="ReplicaBehind",
            expr=f"{s('fournines_database_follows')} == 0 or {s('fournines_database_lag_seconds')} > {LAG}",
            wait=CATCHES_UP,
            severity="warning",
            summary="the replica on {{ $labels.host }} does not follow the primary, or is far behind",
            means="It would take over late, or not at all.",
            run="fournines status CLOUD; on its host: mariadb -e 'show slave status'; journalctl -u mariadb -n 50",
            samples=(
                s.on("fournines_database_follows", name, 1, 0),
                s.on("fournines_database_lag_seconds", name, 0, 99),
            ),
        )

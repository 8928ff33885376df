"""What OpenStack's services have written of their own parts: who reported when, which host has which router, the cells.

Read from their tables where the writer is, so once a region: it costs no token, and works while their APIs do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from .config import Galera
from .mysql import connect

EVERY = 5.0
ANSWER = 3.0
#: More rows of routers than anybody reads; those that are not active on one host come first.
MOST_ROUTERS = 500
_NO_TABLE = (1049, 1054, 1146)

_NOVA = """
    select `binary`, host, timestampdiff(second, coalesce(last_seen_up, created_at), utc_timestamp()), not disabled
    from nova.services where deleted = 0 and `binary` in ('nova-compute', 'nova-conductor', 'nova-scheduler')"""
_CINDER = """
    select `binary`, host, timestampdiff(second, coalesce(updated_at, created_at), utc_timestamp()), not disabled
    from cinder.services where deleted = 0"""
_NEUTRON = """
    select agent_type, host, timestampdiff(second, heartbeat_timestamp, utc_timestamp()), admin_state_up
    from neutron.agents"""
_CELLS = """
    select c.name, count(h.id) from nova_api.cell_mappings c left join nova_api.host_mappings h on h.cell_id = c.id
    group by c.id"""
_ROUTERS = """
    select r.id, r.name, a.host, b.state
    from neutron.ha_router_agent_port_bindings b
    join neutron.routers r on r.id = b.router_id join neutron.agents a on a.id = b.l3_agent_id
    order by (select sum(o.state = 'active') from neutron.ha_router_agent_port_bindings o where o.router_id = r.id) = 1,
             r.name, r.id, a.host
    limit %s"""
#: Database -> who reports into it: kind, host, seconds ago, whether the operator lets it work.
_REPORTS: Mapping[str, str] = {"nova": _NOVA, "cinder": _CINDER, "neutron": _NEUTRON}


async def look(galera: Galera, patience: Mapping[str, float], acting: Callable[[], bool]) -> dict[str, Any]:
    """`patience`: database -> seconds after which who has not reported counts as down. {} where the writer is not."""
    return await asyncio.to_thread(_read, galera, patience) if acting() else {"reports": None}


def _read(galera: Galera, patience: Mapping[str, float]) -> dict[str, Any]:
    try:
        with connect(galera, ANSWER) as connection, connection.cursor() as cursor:
            return {
                "reports": {name: _reports(cursor, name, limit) for name, limit in patience.items()},
                "cells": dict(_rows(cursor, _CELLS)) if "nova" in patience else {},
                "routers": _routers(cursor) if "neutron" in patience else [],
            }
    except pymysql.Error as error:
        raise OSError(str(error)) from None


def _reports(cursor: Cursor, name: str, limit: float) -> dict[str, dict[str, list[Any]]]:
    """kind -> host -> [seconds ago, whether in time, whether enabled]"""
    found: dict[str, dict[str, list[Any]]] = {}
    for kind, host, age, enabled in _rows(cursor, _REPORTS[name]):
        found.setdefault(kind, {})[host] = [int(age), age <= limit, bool(enabled)]
    return found


def _routers(cursor: Cursor) -> list[dict[str, Any]]:
    """id, name, and host -> `active`, `standby` or `unknown`, of routers that VRRP moves."""
    found: dict[str, dict[str, Any]] = {}
    for number, name, host, state in _rows(cursor, _ROUTERS, MOST_ROUTERS):
        found.setdefault(number, {"id": number, "name": name, "states": {}})["states"][host] = state
    return list(found.values())


def _rows(cursor: Cursor, query: str, *values: object) -> tuple[tuple[Any, ...], ...]:
    """() where the tables are not made yet."""
    try:
        cursor.execute(query, values)
    except pymysql.Error as error:
        if error.args and error.args[0] in _NO_TABLE:
            return ()
        raise
    return cursor.fetchall()

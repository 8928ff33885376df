"""What the observer knows, as Prometheus reads it (text format 0.0.4): pure, from the document of `/state`.

Every name begins with `fournines_`; what is yes or no is 1 or 0; times are seconds. What the host does not carry, or
has not looked at yet, is left out rather than 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

Labels = Mapping[str, object]
#: Of a value that is not known, None: the series is left out.
Sample = tuple[str, Labels, float | None]

#: Beside its backends, HAProxy lists these under each proxy.
_WHOLE = ("FRONTEND", "BACKEND")
_SYNCED = 4  # wsrep_local_state


def render(state: Mapping[str, Any]) -> str:
    """Samples of one name stand together, as the format wants it."""
    by_name: dict[str, list[str]] = {}
    for name, labels, value in _samples(state):
        if value is None:
            continue
        inside = ",".join(f'{key}="{_escaped(str(said))}"' for key, said in labels.items())
        by_name.setdefault(name, []).append(f"fournines_{name}{{{inside}}} {float(value):.15g}\n")
    return "".join(f"# TYPE fournines_{name} {_kind(name)}\n{''.join(lines)}" for name, lines in by_name.items())


def _kind(name: str) -> str:
    return "counter" if name.endswith("_total") else "gauge"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _samples(state: Mapping[str, Any]) -> Iterator[Sample]:
    yield "clock_seconds", {}, state["time"]
    yield "observer_uptime_seconds", {}, state["uptime"]
    yield "host_starting", {}, state["starting"]
    # Of every host that this one knows of, for one that is away says nothing.
    for host, asked in _part(state, "maintenance").items():
        if isinstance(asked, Mapping) and cast("Mapping[str, Any]", asked).get("drained") is True:
            yield "drained", {"on": host}, 1
    for peer, said in state["peers"].items():
        yield "peer_confirmed", {"peer": peer}, said["confirmed"]
        yield "peer_departed", {"peer": peer}, said.get("departed", False)
        yield "peer_heard_seconds", {"peer": peer}, said["heard"]
    for unit, times in _part(state, "killed").items():
        yield "daemon_kills_total", {"unit": unit}, times
    yield from _guard(_part(state, "guard"))
    yield from _vip(state.get("vip"))
    yield from _galera(state.get("galera"))
    yield from _haproxy(_part(state, "haproxy"))
    yield from _rabbitmq(_part(state, "rabbitmq"))
    for service in ("haproxy", "rabbitmq", "memcached", "keystone"):
        if "ok" in _part(state, service) and not state[service].get("elsewhere"):
            yield "daemon_answers", {"daemon": service}, state[service]["ok"]
    yield from _memcached(_part(state, "memcached"))
    for unit, fields in _part(_part(state, "units"), "units").items():
        yield "unit_active", {"unit": unit}, fields.get("ActiveState") in ("active", "reloading")
    for file, ends in _part(_part(state, "certificates"), "ends").items():
        yield "certificate_end_seconds", {"file": file}, ends
    yield "fernet_key_age_seconds", {}, _part(state, "fernet").get("age")
    yield from _openstack(_part(state, "openstack"))
    yield from _pacemaker(_part(state, "pacemaker"))
    yield from _luns(_part(state, "luns"))
    yield from _replica(_part(state, "replica"))


def _count(said: Any) -> int:
    """Of a number, itself."""
    return said if isinstance(said, int) else len(said or ())


def _part(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """{} where its watcher has not looked yet, or the host does not carry it."""
    return state.get(name) or {}


def _list(said: Mapping[str, Any], name: str) -> Sequence[Any]:
    return said.get(name) or ()


def _guard(said: Mapping[str, Any]) -> Iterator[Sample]:
    if not said:
        return
    yield "guard_answered_seconds", {}, said.get("answered")
    yield "guard_delay_seconds", {}, said.get("delay")
    yield "guard_degraded", {}, bool(said.get("degraded"))
    yield "guard_voters", {}, _count(said.get("voters"))
    yield "guard_votes", {}, _count(said.get("votes"))


def _vip(said: Mapping[str, Any] | None) -> Iterator[Sample]:
    if not said:
        return
    yield "vip_granted", {}, bool(said.get("granted"))
    yield "vip_may_hold", {}, bool(said.get("may_hold"))
    yield "vip_clients", {}, _count(said.get("clients"))
    for vip in _list(said, "held"):
        yield "vip_held", {"vip": vip}, 1


def _galera(said: Mapping[str, Any] | None) -> Iterator[Sample]:
    if not said:
        return
    answers = said["answered"] is not None and said["answered"] <= 5.0
    yield "galera_answers", {}, answers
    yield "galera_primary", {}, answers and said["primary"]
    yield "galera_synced", {}, answers and said["primary"] and said["local_state"] == _SYNCED
    yield "galera_writer", {}, bool(said["acting"])
    yield "galera_size", {}, said.get("size")
    yield "galera_seqno", {}, said.get("seqno")
    yield "galera_receive_queue", {}, said.get("receive_queue")
    yield "galera_flow_paused_ratio", {}, said.get("flow_paused")


def _haproxy(said: Mapping[str, Any]) -> Iterator[Sample]:
    for proxy, servers in _part(said, "proxies").items():
        for server, fields in servers.items():
            if server not in _WHOLE and fields["status"] != "no check":
                yield "backend_up", {"proxy": proxy, "server": server}, fields["status"].startswith("UP")


def _memcached(said: Mapping[str, Any]) -> Iterator[Sample]:
    """No package of Debian 13 has an exporter for it."""
    if not said.get("ok"):
        return
    counted = _part(said, "stats")
    for name in ("get_hits", "get_misses", "evictions"):
        if name in counted:
            yield f"memcached_{name}_total", {}, counted[name]
    for name, own in _MEMCACHED.items():
        if own in counted:
            yield name, {}, counted[own]


_MEMCACHED = {
    "memcached_items": "curr_items",
    "memcached_bytes": "bytes",
    "memcached_limit_bytes": "limit_maxbytes",
    "memcached_connections": "curr_connections",
}


def _rabbitmq(said: Mapping[str, Any]) -> Iterator[Sample]:
    if not said.get("ok") or said.get("elsewhere"):
        return
    nodes: Sequence[Mapping[str, Any]] = _list(said, "nodes")
    yield "rabbitmq_nodes_running", {}, sum(bool(n["running"]) for n in nodes)
    for kind, key in (("memory", "mem_alarm"), ("disk", "disk_free_alarm")):
        yield "rabbitmq_alarms", {"resource": kind}, sum(bool(n.get(key)) for n in nodes)
    lost = missing = 0
    for queue in _list(said, "queues"):
        members, online = _list(queue, "members"), _list(queue, "online")
        lost += bool(members) and 2 * len(online) <= len(members)
        missing += len(online) < len(members)
    yield "rabbitmq_queues_without_majority", {}, lost
    yield "rabbitmq_queues_missing_members", {}, missing


def _openstack(said: Mapping[str, Any]) -> Iterator[Sample]:
    if said.get("reports") is None:
        return
    for service, kinds in said["reports"].items():
        for kind, hosts in kinds.items():
            for host, (age, up, enabled) in hosts.items():
                labels = {"service": service, "kind": kind, "on": host}
                if enabled:
                    yield "openstack_agent_up", labels, up
                    yield "openstack_agent_report_age_seconds", labels, age
    for router in said["routers"]:
        states = router["states"].values()
        yield "router_active", {"router": router["id"]}, sum(state == "active" for state in states)


def _pacemaker(said: Mapping[str, Any]) -> Iterator[Sample]:
    """Of a member whose cluster does not run, that it has no quorum."""
    if not said:
        return
    runs = bool(said.get("ok"))
    yield "pacemaker_quorate", {}, runs and bool(said.get("quorum"))
    if not runs:
        return
    yield "pacemaker_fencing", {}, bool(said["fencing"])
    yield "pacemaker_failures", {}, len(said["failures"])
    for host, word in said["members"].items():
        yield "pacemaker_online", {"on": host}, word == "online"
        yield "pacemaker_unclean", {"on": host}, word == "unclean"
    # Of a clone each host has a copy of its own.
    for resource in said["resources"]:
        if not resource["in"].endswith("-clone"):
            yield "pacemaker_active", {"resource": resource["name"]}, bool(resource["on"])


def _replica(said: Mapping[str, Any]) -> Iterator[Sample]:
    """Of a copy of a database that the cluster promotes."""
    if not said.get("ok"):
        return
    primary = said["state"] == "primary"
    yield "database_primary", {}, primary
    if primary:
        yield "database_safe", {}, bool(said["complete"])
    else:
        yield "database_follows", {}, said["receives"] == said["applies"] == "Yes"
        yield "database_lag_seconds", {}, said["lag"]


def _luns(said: Mapping[str, Any]) -> Iterator[Sample]:
    """Of disks that several hosts see."""
    luns: Mapping[str, Mapping[str, Any]] = said.get("luns") or {}
    for name, state in luns.items():
        yield "lun_mounted", {"lun": name}, bool(state["mounted"])
        yield "lun_read_only", {"lun": name}, bool(state["read_only"])

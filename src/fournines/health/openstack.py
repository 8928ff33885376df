"""What is wrong with the parts of Nova, Neutron and Cinder, by their own tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.health.cluster import RegionState
from fournines.health.snapshot import Openstack, Report

#: A service of the file -> (whose tables, kinds) of what must have reported from each of its hosts.
EXPECTED = {
    "nova": ("nova", ("nova-conductor", "nova-scheduler")),
    "nova_compute": ("nova", ("nova-compute",)),
    "neutron_l2": ("neutron", ("Open vSwitch agent",)),
    "neutron_agents": ("neutron", ("DHCP agent", "L3 agent", "Metadata agent")),
}
#: Neutron's names of its agents -> their units; other kinds are called as theirs.
UNITS = {
    "Open vSwitch agent": "neutron-openvswitch-agent",
    "DHCP agent": "neutron-dhcp-agent",
    "L3 agent": "neutron-l3-agent",
    "Metadata agent": "neutron-metadata-agent",
}
CELLS = ("cell0", "cell1")


def openstack(r: RegionState) -> Iterator[tuple[str, str, str]]:
    """(what, where, next) of each."""
    known = r.openstack
    if known is None:
        return
    away = {host.host for host in r.unknown}
    ours = {host.name for host in r.region.hosts}
    # Of what runs on one host at a time, the hosts that had it before have stopped.
    moved = {report.kind for report in known.reports if report.kind in r.passive and report.up}
    for report in known.reports:
        host = report.host.partition("@")[0]
        if not report.up and host not in away and report.kind not in moved:
            yield _late(report, host) if host in ours else _left_over(report)
    yield from _unheard(r, known)
    yield from _routers(known)
    if "nova" in known.services:
        for cell in CELLS:
            if cell not in known.cells:
                yield f"Nova has no {cell}", "", "fournines apply"


def _late(report: Report, host: str) -> tuple[str, str, str]:
    unit = UNITS.get(report.kind, report.kind)
    return f"its {report.kind} has stopped reporting", host, f"journalctl -u {unit} -n 50"


def _left_over(report: Report) -> tuple[str, str, str]:
    kind = {"nova": "compute service", "cinder": "volume service"}.get(report.service, "network agent")
    what = f"the {report.kind} of {report.host}, which the file does not have, has stopped reporting"
    return what, "", f"openstack {kind} delete ID, if the host is gone for good"


def _unheard(r: RegionState, known: Openstack) -> Iterator[tuple[str, str, str]]:
    heard = {(report.kind, report.host) for report in known.reports}
    for host in r.region.hosts:
        for service in (s for s in EXPECTED if s in host.services and host.name in r.states):
            tables, kinds = EXPECTED[service]
            for kind in (k for k in kinds if k not in r.passive):
                if tables in known.services and (kind, host.name) not in heard:
                    yield f"its {kind} has never reported", host.name, f"journalctl -u {UNITS.get(kind, kind)} -n 50"


def _routers(known: Openstack) -> Iterator[tuple[str, str, str]]:
    for router in known.routers:
        if len(router.active) == 1:
            continue
        hosts = ", ".join(f"{host} {state}" for host, state in router.states.items())
        active = f"active on {' and '.join(router.active)}" if router.active else "active nowhere"
        fix = "it settles by itself within seconds; if not, journalctl -u neutron-l3-agent on these hosts"
        yield f"router {router.name or router.id} is {active} ({hosts})", "", fix

"""Keepalived: both VIPs in one VRRP instance, so that one host holds both or neither.

Unicast VRRPv3 (multicast is filtered on many fabrics, and two clouds on one network would hear each other), no
preemption by rank (a host that returns must not move the VIP a second time), real-time priority (an advert that waits
for a CPU is a takeover). Who holds the VIP the guards decide by votes: the host that they vote for has the highest
priority, by the tracked file, so VRRP follows them, and announces. That never two hosts serve does not depend on VRRP:
the guard's gate in the kernel is shut wherever the votes are not (decision 21).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar

from fournines.agent.guard.vip import FORBIDDEN
from fournines.agent.guard.votes import GUARD_DEAD
from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services.capabilities import Port, voters
from fournines.services.drop_in import drop_in
from fournines.services.haproxy import MONITOR_PORT
from fournines.services.options import operators
from fournines.services.render import blocks
from fournines.services.resource import File, Package, Resource, Task, Unit
from fournines.services.safeguard import Safeguard, is_set, per_host, unless, when
from fournines.services.service import Check, HaPattern, Service
from fournines.services.timed import Timed
from fournines.timing import timers

UNIT = "keepalived.service"
INSTANCE = "vrrp_instance fournines"
TRACK_FILE = "/run/fournines/vip"
ALIVE_FILE = "/run/fournines/keepalived.alive"


class Keepalived(Service):
    name: ClassVar[str] = "keepalived"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_PASSIVE
    roles: ClassVar[tuple[str, ...]] = ("endpoint",)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("haproxy",)
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    mechanism: ClassVar[Mapping[str, str]] = {"vip": "keepalived"}
    moves_vip: ClassVar[bool] = True
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *(
            Safeguard("keepalived.conf", INSTANCE, *rest[:-1], fatal=rest[-1])
            for rest in (
                (
                    "nopreempt",
                    when("false"),
                    "the VIP moves a second time when its host comes back, before its services are up",
                    "remove it",
                    False,
                ),
                ("preempt*", is_set, "the VIP moves a second time when its host comes back", "remove it", False),
                (
                    "state",
                    unless("BACKUP"),
                    "`nopreempt` works from BACKUP only: every host claims the VIP as it starts",
                    "remove it",
                    True,
                ),
                (
                    "priority",
                    per_host,
                    "with one priority for all, backups claim the VIP at the same moment",
                    "remove it",
                    False,
                ),
                (
                    "virtual_router_id",
                    is_set,
                    "the agents and the other regions' check do not know it",
                    "vips.vrid",
                    True,
                ),
                (
                    "interface",
                    per_host,
                    "hosts whose device has another name never hold the VIP",
                    "interfaces of the host",
                    True,
                ),
                ("unicast_src_ip", per_host, "each host has its own", "remove it", True),
                (
                    "unicast_peer",
                    is_set,
                    "a host that is not among its peers claims the VIP as well",
                    "remove it",
                    True,
                ),
                (
                    "virtual_ipaddress",
                    is_set,
                    "the load balancers and the agents know the VIPs of the region",
                    "vips",
                    True,
                ),
                (
                    "track_file",
                    is_set,
                    "a host that lost quorum keeps the VIP: two hosts hold it in a partition",
                    "remove it",
                    True,
                ),
                ("track_script", is_set, "a keepalived that is frozen keeps the VIP", "remove it", False),
                ("track_interface", is_set, "a host whose public device is down keeps the VIP", "remove it", False),
                ("vrrp_strict", is_set, "it forbids unicast: every host claims the VIP", "remove it", True),
                (
                    "advert_int",
                    is_set,
                    "the lease is worked out from the same interval",
                    "timing.overrides.vrrp_advert",
                    True,
                ),
            )
        ),
        Safeguard(
            "keepalived.conf",
            "global_defs",
            "vrrp_version",
            unless("3"),
            "version 2 knows whole seconds only",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "keepalived.conf",
            "global_defs",
            "vrrp_strict",
            is_set,
            "it forbids unicast: every host claims the VIP",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "keepalived.conf",
            "track_file lease",
            "*",
            is_set,
            "a host that lost quorum keeps the VIP: two hosts hold it in a partition",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "keepalived.conf",
            "vrrp_script alive",
            "*",
            is_set,
            "a keepalived that is frozen keeps the VIP",
            "remove it",
        ),
    )
    ports: ClassVar[tuple[Port, ...]] = (Port(0, "vrrp", "its own members", "VRRP adverts, protocol 112"),)
    voters: ClassVar[str] = "agent"

    def leased(self, cloud: Cloud) -> bool:
        return timers(cloud).vip_quorum

    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "keepalived.conf": (Timed("vrrp_instance *", "advert_int", "vrrp_advert"),)
    }

    def failover(self, cloud: Cloud) -> float:
        """RFC 5798, 6.1: a backup takes over after three adverts and its skew, which is less than one; and with votes
        not before these have moved."""
        t = timers(cloud)
        votes = max(t.dead_host or GUARD_DEAD, t.vip_lease) + 2 * t.agent_heartbeat if t.vip_quorum else 0.0
        return max(4 * t.vrrp_advert, votes)

    def sections(self, cloud: Cloud, file: str) -> Collection[str] | None:
        """Ours, and those of the operator's own that are whole."""
        whole = {"vrrp_instance": "virtual_router_id", "vrrp_script": "script", "track_file": "file"}
        theirs = {
            name
            for name, options in cloud.options(self.name, file).items()
            if whole.get(name.partition(" ")[0], "group" if name.startswith("vrrp_sync") else "process") in options
        }
        quorum = timers(cloud).vip_quorum
        ours = ("vrrp_script alive", "track_file lease" if quorum else "vrrp_script haproxy", INSTANCE)
        return {"global_defs", *ours, *theirs}

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package("keepalived")
        yield File("/etc/keepalived/keepalived.conf", _config(cloud, host), triggers=(f"reload:{UNIT}",))
        yield from drop_in(UNIT)
        yield Unit(UNIT)
        if host.name in cloud.drained:
            yield _elsewhere(cloud, host)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        vip = cloud.region_of(host).vips.internal
        for device in sorted({device for _, _, device in vips(cloud, host)}):
            yield Check(
                f"{device} is up, for a VIP that comes here",
                host.name,
                f'said=$(ip -o link show dev {device} up) && echo "$said" && [ -n "$said" ]',
                within=10,
                unit=UNIT,
            )
        yield Check(
            f"{host.address} is on {host.devices['management']}",
            host.name,
            f"ip -o -4 address show dev {host.devices['management']} | grep -q ' inet {host.address}/'",
            within=10,
            unit=UNIT,
        )
        yield Check(
            "the internal VIP is held and served",
            host.name,
            f"systemctl -q is-active {UNIT} && curl -fsS -m 2 -o /dev/null http://{vip}:{MONITOR_PORT}/alive",
            within=30,
            unit=UNIT,
        )


def _elsewhere(cloud: Cloud, host: Host) -> Task:
    """The guards move the VIPs as soon as the host says that it is drained, if another one can serve them."""
    addresses = " ".join(f"-e ' {address}/'" for address, _, _ in vips(cloud, host))
    here = f"ip -o -4 address show | grep -q -F {addresses}"
    return Task(
        name="the VIPs are on another host",
        check=f"if {here}; then echo 'the VIPs are here'; else echo ok; fi",
        script=(
            f"for _ in $(seq 60); do {here} || exit 0; sleep 0.5; done\n"
            "echo 'no other host has taken the VIPs: see fournines status, journalctl -u fournines-guard' >&2\nexit 1"
        ),
    )


def vips(cloud: Cloud, host: Host) -> tuple[tuple[str, int, str], ...]:
    """(address, prefix, interface) of what the instance moves. /32: the network's route is the host's own address's."""
    region = cloud.region_of(host)
    return (
        (str(region.vips.internal), 32, host.devices["management"]),
        (str(region.vips.public), 32, host.devices.get("public", region.networks["public"].interface)),
    )


def _config(cloud: Cloud, host: Host) -> str:
    region, t = cloud.region_of(host), timers(cloud)
    members = cloud.hosts_of("keepalived", region.name)
    rank = members.index(host)
    sections: dict[str, dict[str, Any]] = {
        "global_defs": {
            "router_id": host.name,
            "vrrp_version": 3,
            "script_user": "root",
            "enable_script_security": True,
            "vrrp_rt_priority": 50,
            "vrrp_no_swap": True,
            "vrrp_garp_master_repeat": 2,
            "vrrp_garp_master_delay": 1,
            "vrrp_garp_master_refresh": 10,
        },
        # Its own sign of life: the agent kills a keepalived that is frozen and takes its VIP off.
        "vrrp_script alive": {"script": f'"/usr/bin/touch {ALIVE_FILE}"', "interval": 1, "weight": 0},
    }
    own = host.devices["management"]  # tracked without being asked
    others = sorted({device for _, _, device in vips(cloud, host)} - {own})
    voted = t.vip_quorum and len(voters(cloud, region.name)) > 2
    instance: dict[str, Any] = {
        "state": "BACKUP",
        "nopreempt": not voted or None,
        "interface": own,
        "virtual_router_id": region.vips.vrid,
        # Far apart, so that two backups' skews differ and they do not both claim the VIP in the same instant; with
        # votes below what the host that has them adds.
        "priority": 150 - rank * (90 // len(members)) if voted else 250 - rank * (240 // len(members)),
        "advert_int": f"{t.vrrp_advert:g}",
        "unicast_src_ip": host.address,
        "unicast_peer": [str(m.address) for m in members if m != host],
        "virtual_ipaddress": [f"{address}/{prefix} dev {device}" for address, prefix, device in vips(cloud, host)],
        "track_interface": others or None,
    }
    if t.vip_quorum:
        # In FAULT until the guard has heard a majority: a host that just booted alone must not claim the VIP.
        sections["track_file lease"] = {"file": f'"{TRACK_FILE}"', "weight": 1, "init_file": FORBIDDEN}
        instance["track_file"] = ["lease"]
        instance["track_script"] = ["alive"]
    else:
        alive = f'"/usr/bin/curl -fs -m 1 -o /dev/null http://{host.address}:{MONITOR_PORT}/alive"'
        sections["vrrp_script haproxy"] = {"script": alive, "interval": 2, "fall": 2, "rise": 2, "weight": 0}
        instance["track_script"] = ["alive", "haproxy"]
    sections[INSTANCE] = instance
    return blocks(sections, operators(cloud, "keepalived", "keepalived.conf"))

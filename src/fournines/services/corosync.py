"""Corosync: who is a member of the cluster, and whether its members are a majority. Pacemaker acts on both.

Members speak knet, encrypted and authenticated by a key of the region's own, on the management network: a host that is
cut off there is no use to clients, and must be fenced. A network called `cluster`, where all of them are on one, is a
second link, for a switch that fails; then HAProxy's health also says whether the host still reaches others on
`management` (`services.haproxy`).

A change of the file is read without a restart. With two members alone the first to start waits for the other, once
(`two_node`, `wait_for_all`). A witness is a quorum device instead, which has a vote (`services.qnetd`): then one member
with the witness's vote is a majority, and starts without the other, which it fences first.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import quorum_device
from fournines.services.capabilities import Port, members
from fournines.services.drop_in import drop_in
from fournines.services.options import operators
from fournines.services.render import HEADER, overlay
from fournines.services.resource import File, Package, Resource, Unit
from fournines.services.safeguard import Safeguard, is_set, per_host, unless, when
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed, milliseconds
from fournines.timing import timers
from fournines.timing.fencing import WITNESS_NOTICES

UNIT = "corosync.service"
PORT = 5405
#: The network of the second link, where a region has one by this name.
SECOND = "cluster"
FILE = "corosync.conf"


class Corosync(Service):
    name: ClassVar[str] = "corosync"
    pattern: ClassVar[HaPattern] = HaPattern.QUORUM
    roles: ClassVar[tuple[str, ...]] = ("endpoint",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"cluster": "pacemaker"}
    needs: ClassVar[tuple[str, ...]] = ("base", "agent")
    after: ClassVar[tuple[str, ...]] = ("qnetd",)
    rolling: ClassVar[Rolling] = "one-by-one"
    networks: ClassVar[tuple[str, ...]] = (SECOND,)
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(PORT, "udp", "its own members", "membership of the cluster, encrypted"),
        Port(PORT + 1, "udp", "its own members", "the same, on its second link", network=SECOND, always=False),
    )
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        FILE: (
            Timed("totem", "token", "corosync_token", milliseconds),
            Timed("totem", "consensus", "corosync_consensus", milliseconds),
        )
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = tuple(
        Safeguard(FILE, *rest[:-1], fatal=rest[-1])
        for rest in (
            ("totem", "transport", unless("knet"), "only knet encrypts", "remove it", True),
            (
                "totem",
                "crypto_cipher",
                when("none"),
                "anybody on the management network can read what members say, and speak for one",
                "remove it",
                False,
            ),
            (
                "totem",
                "crypto_hash",
                when("none"),
                "anybody on the management network can speak for a member",
                "remove it",
                True,
            ),
            ("totem", "token_coefficient", is_set, "members then wait longer than `timing:` says", "remove it", False),
            ("totem", "cluster_name", per_host, "Pacemaker's tools know it by the region's", "remove it", False),
            ("quorum", "two_node", is_set, "fournines sets it where there are two members", "remove it", True),
            ("quorum", "expected_votes", is_set, "it follows from the hosts", "remove it", True),
            (
                "quorum",
                "last_man_standing",
                when("true"),
                "a part of the cluster that is cut off counts itself as all of it, step by step",
                "remove it",
                False,
            ),
        )
    )

    def units_in(self, cloud: Cloud) -> tuple[str, ...]:
        device = any(quorum_device.witness(cloud, region) for region in cloud.regions)
        return (*self.units, quorum_device.UNIT) if device else self.units

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        reload = (f"reload:{UNIT}",)
        yield Package("corosync")
        yield File(
            "/etc/corosync/authkey", cloud.secrets.get(_key(host), _generate), mode=0o400, secret=True, triggers=reload
        )
        yield File("/etc/corosync/corosync.conf", _config(cloud, host), triggers=reload)
        yield from quorum_device.resources(cloud, host)
        yield from drop_in(UNIT, "corosync/daemon.conf.j2")
        yield Unit(UNIT)
        yield from quorum_device.unit(cloud, host.region)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        size = len(members(cloud, host.region, self.name))
        yield Check(
            f"corosync counts {size} members",
            host.name,
            "said=$(corosync-quorumtool -s 2>&1) || true\n"
            "echo \"$said\" | grep -E '^(Quorate|Total votes):' | tr -s ' ' | tr '\\n' ' '\n"
            f"echo \"$said\" | grep -Eq '^Total votes: +{size}$' && echo \"$said\" | grep -Eq '^Quorate: +Yes'",
            within=60,
            unit=UNIT,
            alone="corosync-quorumtool -s 2>&1 | grep -Eq '^Quorate: +Yes'",
        )

    def failover(self, cloud: Cloud) -> float:
        """Seconds until the others know that a member is gone."""
        return noticed(cloud)


#: Seconds until a power controller has switched a host off and says so: fence agents ask it once a second.
FENCED = 1.0


def noticed(cloud: Cloud) -> float:
    """Seconds until the others know that a member is gone, and that they are a majority: a quorum device first has to
    miss it as well."""
    t = timers(cloud)
    device = any(quorum_device.witness(cloud, region) for region in cloud.regions)
    return max(t.corosync_token + t.corosync_consensus, WITNESS_NOTICES * t.quorum_device if device else 0.0)


def pair(cloud: Cloud, region: str) -> bool:
    """Whether there are two members and nobody else votes: each is as good a half as the other."""
    return len(members(cloud, region, "corosync")) == 2


def _key(host: Host) -> str:
    return f"corosync.{host.region}"


def _generate() -> str:
    """corosync takes keys of 1,024 bits and more (TOTEM_PRIVATE_KEY_LEN_MIN is 128 bytes)."""
    return secrets.token_urlsafe(192)


def linked(cloud: Cloud, region: str) -> tuple[str, ...]:
    """The networks of the links, the first one first."""
    members = cloud.hosts_of("corosync", region)
    second = bool(members) and all(SECOND in h.addresses for h in members)
    return ("management", SECOND) if second else ("management",)


def _config(cloud: Cloud, host: Host) -> str:
    own, t = cloud.hosts_of("corosync", host.region), timers(cloud)
    alone = pair(cloud, host.region) or None
    links = linked(cloud, host.region)
    ours: dict[str, dict[str, Any]] = {
        "totem": {
            "version": 2,
            "cluster_name": quorum_device.cluster_name(cloud, host.region),
            "transport": "knet",
            "crypto_cipher": "aes256",
            "crypto_hash": "sha256",
            "token": round(t.corosync_token * 1000),
            # Else a third member makes it 650 ms longer.
            "token_coefficient": 0,
            "consensus": round(t.corosync_consensus * 1000),
        },
        "quorum": {
            "provider": "corosync_votequorum",
            "two_node": alone and 1,
            "wait_for_all": alone and 1,
            "device": quorum_device.section(cloud, host.region),
        },
        "logging": {"to_syslog": "yes", "to_stderr": "no", "timestamp": "off"},
    }
    written = overlay(ours, operators(cloud, "corosync", FILE))
    body = "".join(_block(name, options) for name, options in written.items())
    nodes = ""
    for number, member in enumerate(own, start=1):
        options: dict[str, Any] = {"nodeid": number, "name": member.name}
        options |= {f"ring{n}_addr": str(member.addresses[network]) for n, network in enumerate(links)}
        nodes += _block("node", options, "    ")
    interfaces = "".join(
        _block("interface", {"linknumber": n, "mcastport": PORT + n}, "    ") for n in range(len(links))
    )
    return HEADER + body.replace("totem {\n", f"totem {{\n{interfaces}") + f"nodelist {{\n{nodes}}}\n"


def _block(name: str, options: Mapping[str, Any], indent: str = "") -> str:
    lines = [_line(key, value, f"{indent}    ") for key, value in options.items() if value is not None]
    return f"{indent}{name} {{\n{''.join(lines)}{indent}}}\n"


def _line(name: str, value: Any, indent: str) -> str:
    """A setting, or a block of them."""
    if isinstance(value, Mapping):
        return _block(name, cast(Mapping[str, Any], value), indent)
    words = {True: "yes", False: "no"}
    return f"{indent}{name}: {words[value] if isinstance(value, bool) else value}\n"

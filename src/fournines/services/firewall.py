"""The firewall of each host: lets in what the region's services say that they need (`openings`), and nothing else.

By addresses, not by interfaces: bonds, bridges and Open vSwitch may move an address to another device, and a neighbour
who routes a packet to an address of another network still comes with the wrong source. TCP is judged by its first
packet alone and by no state: a VIP that moves takes its connections' last packets along, and a flood of connections to
a load balancer fills no table. SSH comes first; see `programs/firewall.py` for how a mistake there heals by itself.

Machines that fournines is run from are trusted with every port: they hold the cloud's secrets and root's key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any, ClassVar, cast

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import EVERY_HOST, Component
from fournines.services.capabilities import Source
from fournines.services.openings import Opening, address, openings, reached, sources
from fournines.services.render import HEADER, program, template
from fournines.services.resource import File, Package, Resource, Task, Unit
from fournines.services.sandbox import Sandbox
from fournines.services.service import Check, HaPattern, Service

UNIT = "fournines-firewall.service"
PROGRAM = "/usr/lib/fournines/firewall"
RULES = "/etc/fournines/firewall.nft"
#: In the cloud file: sections `sources` (operators, ssh) and `accept` (`tcp 9300`: addresses).
OPTIONS = "firewall.nft"


#: /tmp is not there yet when it starts.
_SANDBOX = Sandbox(
    capabilities=("CAP_NET_ADMIN",),
    families=("AF_UNIX", "AF_NETLINK"),
    filters=("@system-service",),
    allows=("PrivateTmp",),
)


class Firewall(Service):
    name: ClassVar[str] = "firewall"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = (EVERY_HOST,)
    component: ClassVar[Component] = "core"
    needs: ClassVar[tuple[str, ...]] = ("base",)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        if not enabled(cloud):
            return
        theirs = cloud.options(self.name, OPTIONS).get("sources", {})
        settings = {"learn": not listed(theirs.get("operators")), "ssh": listed(theirs.get("ssh"))}
        text, digest = rules(cloud, host)
        yield Package("nftables")
        yield Package("python3")
        yield File(PROGRAM, program("firewall.py"), mode=0o755)
        yield File("/etc/fournines/firewall.json", json.dumps(settings) + "\n")
        yield File(RULES, text)
        yield File(
            f"/etc/systemd/system/{UNIT}", template("firewall/unit.service.j2", program=PROGRAM, sandbox=_SANDBOX.lines)
        )
        yield Unit(UNIT)
        yield Task("firewall", check=f"{PROGRAM} check {digest}", script=f"{PROGRAM} apply {digest}", python=True)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        if enabled(cloud):
            _, digest = rules(cloud, host)
            yield Check("the firewall lets fournines in", host.name, f"{PROGRAM} confirm {digest}", 20, unit=UNIT)


def enabled(cloud: Cloud) -> bool:
    said = cloud.options("firewall", OPTIONS).get("", {}).get("enabled", True)
    return str(said).lower() not in ("false", "0", "off", "no")


def listed(value: Any) -> list[str]:
    """An option that is one address or a list of them."""
    if isinstance(value, list | tuple):
        return [str(v) for v in cast("list[object]", value)]
    return [] if value is None else [str(value)]


def rules(cloud: Cloud, host: Host) -> tuple[str, str]:
    """What nft loads, and the digest that it is known by there."""
    region = cloud.region_of(host)
    theirs = cloud.options("firewall", OPTIONS)
    reachable = [(o, to) for o in openings(cloud, region.name) if (to := reached(cloud, host, o)) is not None]
    granted = [_Grant(o, to, name, of) for o, to in reachable for name, of in _from(cloud, host, o)]
    networks = list(region.networks.values())
    body = template(
        "firewall/rules.nft.j2",
        own=", ".join(map(str, sorted({*_own(cloud, host), *(to for _, to in reachable)}))),
        ssh_port=host.ssh.port,
        ssh=[_source(a) for a in listed(theirs.get("sources", {}).get("ssh"))],
        operators=", ".join(listed(theirs.get("sources", {}).get("operators"))),
        sets=dict(sorted((g.set, g.elements) for g in granted if g.set)),
        tcp=_numbers(g.opening for g in granted if g.opening.port.protocol == "tcp"),
        udp=_numbers(g.opening for g in granted if g.opening.port.protocol == "udp"),
        rules=[g.rule for g in granted],
        extra=[
            f"{_source(a)} {port.replace(' ', ' dport ')}"
            for port, of in theirs.get("accept", {}).items()
            for a in listed(of)
        ],
        routed=[
            (n.cidr, ", ".join(str(o.cidr) for o in networks if o is not n)) for n in networks if len(networks) > 1
        ],
    )
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    return HEADER + body.replace("rules_DIGEST", f"rules_{digest}"), digest


def _own(cloud: Cloud, host: Host) -> Iterator[IPv4Address]:
    """The host's addresses, and those by which a network's neighbours reach all hosts at once."""
    networks = cloud.region_of(host).networks
    for name, own in host.addresses.items():
        yield own
        if networks[name].cidr.prefixlen < 31:
            yield networks[name].cidr.broadcast_address


@dataclass(frozen=True)
class _Grant:
    """`set`: nft's name for who is let in, "" for anyone; `elements`: their addresses."""

    opening: Opening
    to: IPv4Address
    set: str
    elements: str

    @property
    def rule(self) -> str:
        o = self.opening
        source = f"ip saddr @{self.set} " if self.set else ""
        what = "ip protocol vrrp" if o.port.protocol == "vrrp" else f"{o.port.protocol} dport {o.numbers}"
        return f'ip daddr {self.to} {source}{what} accept comment "{o.service}: {o.port.what}"'


def _from(cloud: Cloud, host: Host, opening: Opening) -> Iterator[tuple[str, str]]:
    """Nothing for whom there is nobody to let in."""
    source, network = opening.port.source, opening.port.network
    if source == "anyone":
        yield "", ""
        return
    if source == "its network":
        attached = cloud.region_of(host).networks[network if network in host.addresses else "management"]
        yield f"network_{attached.name}".replace("-", "_"), str(attached.cidr)
        return
    who = opening.service if source == "its own members" else source if isinstance(source, str) else "_or_".join(source)
    if elements := _addresses(cloud, host.region, opening.service, source, network):
        yield f"{network}_of_{who}".replace(" ", "_").replace("-", "_"), elements


@lru_cache(maxsize=1024)
def _addresses(cloud: Cloud, region: str, service: str, source: Source, network: str) -> str:
    """As nft has them: hosts of a range are one interval, however many."""
    found = {int(address(host, network)) for host in sources(cloud, region, service, source)}
    if source == "the scrapers":
        found |= set(map(int, cloud.regions[region].scrapers))
    firsts = sorted(n for n in found if n - 1 not in found)
    lasts = sorted(n for n in found if n + 1 not in found)
    pairs = ((IPv4Address(first), IPv4Address(last)) for first, last in zip(firsts, lasts, strict=True))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)


def _numbers(opened: Iterable[Opening]) -> str:
    """Ports as elements of nft, which refuses ranges that overlap."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((o.port.number, o.port.last or o.port.number) for o in opened):
        if merged and first <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in merged)


def _source(written: str) -> str:
    return f"ip6 saddr {written}" if ":" in written else f"ip saddr {written}"

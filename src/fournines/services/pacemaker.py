"""Pacemaker: runs what may run on one host at a time, moves it when that host is lost, and first makes sure that it is.

Before anything starts elsewhere, a host that is silent is fenced: its power is cut by its own controller (`bmc`), and
that it is off is seen. Members that are no majority stop what they run (`no-quorum-policy=stop`).

What is managed the services say themselves (`capabilities.ManagedByCluster`); here it becomes one configuration, which
is compared with the running one and changed where it differs (`programs/cluster`). Resources, constraints and
properties that are not ours stay as the operators made them.

A failed action stays on record until a person clears it (`crm_resource --cleanup`), but for those with a
`failure-timeout`: HAProxy's health, servers that move, and power controllers, which are asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from shlex import quote
from typing import ClassVar
from xml.etree import ElementTree

from fournines.cloud.model import Bmc, Cloud, Host
from fournines.cloud.roles import Component
from fournines.programs.cluster.difference import differences, section
from fournines.services import corosync, passive, tls
from fournines.services.capabilities import ManagedByCluster, present
from fournines.services.cib import Location, Managed, Operation, Primitive, configuration
from fournines.services.drop_in import drop_in
from fournines.services.options import operators
from fournines.services.resource import Directory, Fact, File, Package, Resource, Run, Step, Task, Unit
from fournines.services.safeguard import Safeguard, when
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed, seconds
from fournines.timing import timers

UNIT = "pacemaker.service"
RUNNING = "/var/lib/pacemaker/cib/cib.xml"
WANTED = "/etc/fournines/cib.xml"
CODE = "/usr/lib/fournines/cluster"
#: What runs a command of `programs/cluster` on a member.
COMMAND = "PYTHONPATH=/usr/lib/fournines python3 -m cluster"
PASSWORDS = "/etc/fournines/bmc"
TRUSTED = "/etc/fournines/bmc.crt"
#: In the cloud file: properties of the cluster.
FILE, SECTION = "cib", "properties"
#: Seconds between two questions to a power controller whether it would still obey.
FENCE_MONITOR = 60.0


def _span(text: str) -> float:
    """Pacemaker's durations: `20s`, `800ms`, `1min`; a bare number means seconds."""
    units = {"ms": 0.001, "min": 60.0, "m": 60.0, "s": 1.0}
    unit = next((u for u in units if text.endswith(u)), "")
    return seconds(text.removesuffix(unit)) * units.get(unit, 1.0)


class Pacemaker(Service):
    name: ClassVar[str] = "pacemaker"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_PASSIVE
    roles: ClassVar[tuple[str, ...]] = ("endpoint",)
    component: ClassVar[Component] = "core"
    mechanism: ClassVar[Mapping[str, str]] = {"cluster": "pacemaker"}
    needs: ClassVar[tuple[str, ...]] = ("corosync", "haproxy")
    #: What it runs is installed before it is told to start it.
    after: ClassVar[tuple[str, ...]] = ("mariadb_replica", "mariadb_shared", "rabbitmq_shared")
    rolling: ClassVar[Rolling] = "one-by-one"
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    moves_vip: ClassVar[bool] = True
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        FILE: (
            Timed(SECTION, "stonith-timeout", "fence_timeout", _span),
            Timed(SECTION, "priority-fencing-delay", "fence_delay", _span),
            Timed(SECTION, "cluster-recheck-interval", "fence_retry", _span),
        )
    }
    guarded: ClassVar[tuple[Safeguard, ...]] = tuple(
        Safeguard(FILE, SECTION, *rest, fatal=True)
        for rest in (
            (
                "stonith-enabled",
                when("false"),
                "a host that is only silent goes on: two hosts have the VIPs, or write to one disk",
                "remove it",
            ),
            (
                "no-quorum-policy",
                when("ignore"),
                "each half of a cluster that is split runs everything",
                "stop, freeze, demote or suicide",
            ),
            ("maintenance-mode", when("true"), "the cluster does nothing at all", "crm_attribute, for as long"),
            (
                "startup-fencing",
                when("false"),
                "hosts that have not been seen since the start are taken for off",
                "remove it",
            ),
        )
    )

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        members = cloud.hosts_of(self.name, host.region)
        yield from (Package(name) for name in ("pacemaker", "pacemaker-cli-utils", "resource-agents"))
        yield Package("fence-agents-redfish")
        yield from _code()
        yield Directory(PASSWORDS, mode=0o700)
        for member in members:
            if member.bmc:
                yield _password(cloud, member)
        yield File(TRUSTED, _trusted(cloud, members), triggers=(f"restart:{UNIT}",))
        yield from drop_in(UNIT, "pacemaker/daemon.conf.j2", triggers=(f"restart:{UNIT}",), trusted=TRUSTED)
        if cloud.pattern.vip != "keepalived":
            yield _NO_GATE
        yield Unit(UNIT)
        yield from passive.resources(cloud, host)
        wanted = rendered(cloud, host.region)
        yield File(WANTED, wanted)
        yield Configuration(wanted)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check(
            "the cluster runs all that it manages, and reaches every power controller",
            host.name,
            " ".join((f"{COMMAND} health", *passive.ids(cloud, host.region))),
            within=120,
            unit=UNIT,
        )

    def failover(self, cloud: Cloud) -> float:
        """Until the others know that a host is gone, and its power controller has said that it is off."""
        return corosync.noticed(cloud) + corosync.FENCED


_WHOLE = "<cib>{}</cib>"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The cluster's configuration, `wanted` being a `<configuration>`. The file that is compared is the one that every
    member keeps of the running one."""

    wanted: str = field(repr=False)
    triggers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return "cib:pacemaker"

    @property
    def fact(self) -> Fact:
        return Fact("text", RUNNING)

    def diff(self, observed: str) -> str | None:
        if observed == "absent":
            return "absent → present"
        try:
            cib = _parsed(observed.removeprefix("text "))
        except ElementTree.ParseError:
            return "unreadable → present"
        return "; ".join(differences(section(cib, "configuration"), _parsed(self.wanted))) or None

    @property
    def settled(self) -> str:
        return f"text {_WHOLE.format(self.wanted)}"

    def steps(self) -> list[Step]:
        return [Run(f"{COMMAND} apply", timeout=150.0)]


def _parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - ours, or root's on a host of ours


def rendered(cloud: Cloud, region: str) -> str:
    """The configuration of the cluster of `region`."""
    return configuration(_properties(cloud, region), _managed(cloud, region))


def _properties(cloud: Cloud, region: str) -> dict[str, str]:
    t = timers(cloud)
    ours: dict[str, str | None] = {
        "cluster-name": f"{cloud.name}-{region}",
        "stonith-enabled": "true",
        # What is fenced comes back by itself, and its redundancy with it.
        "stonith-action": "reboot",
        "stonith-timeout": f"{t.fence_timeout:g}s",
        # Pacemaker gives a host up after ten failed fencings in a row, in 20 s when its controller refuses connections,
        # and counts on until one works. What it looks at again it tries again: by default after 15 minutes.
        "cluster-recheck-interval": f"{t.fence_retry:g}s",
        "no-quorum-policy": "stop",
        # By default a busy host starts one thing after another: the survivor, which is busy because the other is gone.
        "load-threshold": "10000%",
        # Of two hosts that see nothing of one another, the one that runs more is spared. Where a witness votes, one of
        # them has no majority and fences nobody.
        "priority-fencing-delay": f"{t.fence_delay:g}s" if corosync.pair(cloud, region) else "0s",
    }
    theirs = operators(cloud, "pacemaker", FILE).get(SECTION, {})
    merged = {**ours, **theirs}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in merged.items()
        if value is not None
    }


def _managed(cloud: Cloud, region: str) -> Iterator[Managed]:
    yield from _fencing(cloud, region)
    for service in present(cloud, region):
        if isinstance(service, ManagedByCluster):
            yield from service.managed(cloud, cloud.regions[region])
    yield from passive.managed(cloud, cloud.regions[region])


def _fencing(cloud: Cloud, region: str) -> Iterator[Managed]:
    """A device a host; none runs on the host that it would switch off."""
    members, t = cloud.hosts_of("pacemaker", region), timers(cloud)
    for number, host in enumerate(members):
        if host.bmc is None:
            continue
        parameters = _agent(host, host.bmc) | {"pcmk_host_list": host.name}
        if corosync.pair(cloud, region):
            # Where nothing runs on either, the first of them in the file is spared.
            parameters["pcmk_delay_base"] = f"{t.fence_delay * (1 - number):g}s"
        monitor = Operation("monitor", FENCE_MONITOR, t.fence_timeout)
        # A controller that did not answer is asked again: one that answers is not to wait for a person.
        failing = {"failure-timeout": f"{t.fence_retry:g}s"}
        yield Primitive(f"fence-{host.name}", "stonith:fence_redfish", parameters, (monitor,), failing)
        yield Location(f"fence-{host.name}", host.name, "-INFINITY")


def _agent(host: Host, bmc: Bmc) -> dict[str, str]:
    """What fence_redfish asks for. The password comes from a script: the configuration is for every administrator to
    read."""
    return {
        "ip": str(bmc.address),
        "ipport": str(bmc.port),
        "username": bmc.user,
        "password_script": f"{PASSWORDS}/{host.name}",
        **({"systems_uri": bmc.system} if bmc.system else {}),
        **({} if bmc.verify else {"ssl_insecure": "1"}),
    }


def password(host: str) -> str:
    """The name of the secret that is the password of a host's power controller."""
    return f"bmc.{host}"


def _password(cloud: Cloud, host: Host) -> File:
    """A script, for that is what fence agents run."""
    secret = cloud.secrets.given(
        password(host.name), f"the password of {host.bmc and host.bmc.user} at {host.name}'s bmc"
    )
    script = f"#!/bin/sh\nprintf '%s\\n' {quote(secret)}\n"
    return File(f"{PASSWORDS}/{host.name}", script, mode=0o700, secret=True)


def _trusted(cloud: Cloud, members: Iterable[Host]) -> str:
    """What the certificates of power controllers are checked against: the cloud's own CA, and those of the file."""
    theirs = {host.bmc.ca for host in members if host.bmc and host.bmc.ca}
    return tls.internal_ca(cloud) + "".join(path.read_text() for path in sorted(theirs))


#: Of a guard that decided who has the VIPs, before Pacemaker did: it would drop what comes to them.
_NO_GATE = Task(
    name="the VIP's gate is open",
    check="nft list table ip fournines_vip > /dev/null 2>&1 || echo ok",
    script="nft delete table ip fournines_vip 2> /dev/null || true",
)


@cache
def _code() -> tuple[Resource, ...]:
    folder = files("fournines.programs").joinpath("cluster")
    sources = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".py"))
    return (
        Package("python3"),
        Directory(CODE),
        *(File(f"{CODE}/{name}", folder.joinpath(name).read_text()) for name in sources),
    )

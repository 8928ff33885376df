"""cinder-volume: what carries out what users ask of volumes.

Each back end is served as its driver allows; another one beside it changes nothing for it, nor for whom its volumes
belong to:

- cluster: drivers that support it, on every storage host at once, under Valkey's locks. Volumes belong to the cluster.
- leased: other drivers (and by default), on one host at a time under a lease in the database (`lease`), under one name,
  `backend_host`, so that a volume is not tied to the host that made it. A back end with a `backend_host` of your own is
  served like this too, whatever its driver.
- local: what keeps volumes on the host itself (LVM), on every storage host for itself. Not redundant: while a host is
  down, so are its volumes.

Where the service is `ha: passive` the cluster runs what would be leased or at work on every host; `local` cannot move.

The kinds that a cloud has are units of their own; the first is `cinder-volume`, others `cinder-volume-KIND`.

Back ends are the operator's: `enabled_backends` and a section for each in `cinder-volume.conf`. Without any, it is
Cinder's test driver, whose volumes keep nothing: for labs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Literal, cast

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.cloud.source import Path
from fournines.services import cinder, lease, openstack, passive, sandbox, units
from fournines.services.capabilities import Movable, Port, Single
from fournines.services.options import operators
from fournines.services.render import Sections
from fournines.services.resource import Package, Resource, Unit
from fournines.services.safeguard import Safeguard
from fournines.services.service import Check, HaPattern, Service
from fournines.timing import timers

Kind = Literal["cluster", "leased", "local"]
KINDS: tuple[Kind, ...] = ("cluster", "leased", "local")
FILE = "cinder-volume.conf"
#: Logs what it would do.
FAKE_DRIVER = "cinder.tests.fake_driver.FakeLoggingVolumeDriver"
#: Modules of drivers with SUPPORTS_ACTIVE_ACTIVE in Cinder 26.0.
_ACTIVE_ACTIVE = tuple(
    f"cinder.volume.drivers.{name}."
    for name in (
        "ceph.rbd_iscsi",
        "dell_emc.powerflex",
        "dell_emc.powermax",
        "dell_emc.powerstore",
        "lightos",
        "netapp.dataontap",
        "pure",
        "rbd",
        "solidfire",
        "yadro",
    )
)
#: Modules of drivers whose volumes are on the disks of the host that runs them.
_LOCAL = ("cinder.volume.drivers.lvm.",)
#: Of the lease: the same whatever the unit is called, so that a change of kinds never has two at work.
_LEASE = "cinder-volume"
#: Cinder's own, where a back end does not say.
DEFAULT_DRIVER = "cinder.volume.drivers.lvm.LVMVolumeDriver"
_SHARED = "a back end that replicates by itself, such as Ceph's"


class CinderVolume(Service):
    name: ClassVar[str] = "cinder_volume"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_PASSIVE
    roles: ClassVar[tuple[str, ...]] = ("storage",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("cinder",)
    units: ClassVar[tuple[str, ...]] = (cinder.VOLUME_UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(3260, "tcp", ("nova_compute", "cinder_volume"), "iSCSI: back ends of its own", "storage", always=False),
    )
    databases: ClassVar[tuple[str, ...]] = (lease.DATABASE,)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {FILE: ("cinder",)}

    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards(FILE),
        *openstack.each_host(FILE, "DEFAULT", "host", "my_ip"),
    )

    def units_in(self, cloud: Cloud) -> tuple[str, ...]:
        return tuple(_daemon(cloud, kind).unit for kind in kinds(cloud))

    def sections(self, cloud: Cloud, file: str) -> Collection[str] | None:
        return backends(cloud) or ("NAME",)

    def failover(self, cloud: Cloud) -> float:
        """The lease's end, and the start of a daemon; with several at work, the scheduler's patience with one."""
        t = timers(cloud)
        return t.service_lease + 5.0 if kinds(cloud).get("leased") else t.service_down

    def singles(self, cloud: Cloud, region: Region) -> tuple[Single, ...]:
        path: Path = ("services", self.name, "options", "cinder-volume.conf")
        found: list[Single] = []
        for name in backends(cloud):
            kind = driver(cloud, name) or DEFAULT_DRIVER
            if kind == FAKE_DRIVER:
                loss = "nothing is stored, so nothing that a server writes to a volume is there again"
                found.append(Single(f"volumes of back end {name} are in Cinder's books only", loss, _SHARED, path))
            elif ".lvm." in kind:
                loss = "a volume is lost with the host that made it, and out of reach while that is down"
                found.append(
                    Single(f"volumes of back end {name} are on single hosts' disks (LVM)", loss, _SHARED, path)
                )
            elif ".nfs." in kind:
                loss = "no volume can be read or written without it"
                removes = f"{_SHARED}, or a server that is redundant itself"
                found.append(Single(f"volumes of back end {name} are on an NFS server", loss, removes, path))
        return tuple(found)

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(*(_daemon(cloud, kind) for kind in kinds(cloud) if kind != "local"))

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package("cinder-volume")
        if any(driver(cloud, name).startswith("cinder.volume.drivers.rbd.") for name in backends(cloud)):
            yield Package("python3-rbd")
        yield from cinder.config(cloud, host)
        found = kinds(cloud)
        for kind in KINDS[1:]:
            if kind not in found or kind == next(iter(found)):
                yield Unit(f"cinder-volume-{kind}.service", state="stopped")
        for kind, names in found.items():
            daemon = _daemon(cloud, kind)
            yield openstack.config_file(
                cloud,
                self.name,
                f"/etc/cinder/{daemon.name}.conf",
                _sections(cloud, cloud.region_of(host), kind, names),
                group="cinder",
                units=(daemon.unit,),
                options=_theirs(cloud, kind, names),
            )
            if kind == "leased" and not passive.moves(cloud, daemon.unit):
                yield from lease.leased(cloud, host, daemon, _LEASE)
            else:
                yield from units.daemon(cloud, daemon)

    def keeps(self, cloud: Cloud, host: Host) -> str:
        return "volumes lie on its own disks" if "local" in kinds(cloud) else ""

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        for kind in kinds(cloud):
            unit = _daemon(cloud, kind).unit
            yield units.runs(cloud, host, unit)
            first = host == cloud.hosts_of(self.name, host.region)[0]
            if kind == "leased" and first and not passive.moves(cloud, unit):
                yield lease.held(host, unit, _LEASE)


def backends(cloud: Cloud) -> tuple[str, ...]:
    """Names of sections: the operator's `enabled_backends`, else one of the lab's."""
    theirs = cloud.options("cinder_volume", FILE).get("DEFAULT", {}).get("enabled_backends", "fake")
    names = cast(list[Any], theirs) if isinstance(theirs, list) else str(theirs or "").split(",")
    return tuple(dict.fromkeys(name for name in (str(n).strip() for n in names) if name))


def driver(cloud: Cloud, backend: str) -> str:
    """The class behind `backend`; "": the file does not say."""
    section = cloud.options("cinder_volume", FILE).get(backend, {})
    return str(section.get("volume_driver", FAKE_DRIVER if backend == "fake" else ""))


def kinds(cloud: Cloud) -> Mapping[Kind, tuple[str, ...]]:
    """The kinds that there are -> their back ends."""
    found: dict[Kind, list[str]] = {}
    for name in backends(cloud):
        found.setdefault(_kind(cloud, name), []).append(name)
    return {kind: tuple(found[kind]) for kind in KINDS if kind in found}


def _kind(cloud: Cloud, backend: str) -> Kind:
    if cloud.options("cinder_volume", FILE).get(backend, {}).get("backend_host"):
        return "leased"
    module = driver(cloud, backend)
    return "cluster" if module.startswith(_ACTIVE_ACTIVE) else "local" if module.startswith(_LOCAL) else "leased"


def _daemon(cloud: Cloud, kind: Kind) -> units.Daemon:
    name = "cinder-volume" if kind == next(iter(kinds(cloud))) else f"cinder-volume-{kind}"
    return units.Daemon(
        unit=f"{name}.service",
        service="cinder",
        description="OpenStack Cinder volume",
        user="cinder",
        command=f"/usr/bin/cinder-volume --config-file {cinder.CONFIG} --config-file /etc/cinder/{name}.conf",
        sandbox=sandbox.by_sudo("attaches volumes, and drives many back ends' tools, as root"),
    )


def _sections(cloud: Cloud, region: Region, kind: Kind, names: tuple[str, ...]) -> Sections:
    owner = f"{cloud.name}-{region.name}"
    shared = {"cluster": owner} if kind == "cluster" else {}
    sections: dict[str, dict[str, Any]] = {"DEFAULT": {"enabled_backends": ",".join(names), **shared}}
    for name in names:
        own = {"volume_driver": FAKE_DRIVER} if driver(cloud, name) == FAKE_DRIVER else {}
        # Whichever host serves it, its volumes belong to the same name.
        host = {"backend_host": owner} if kind == "leased" else {}
        sections[name] = {**own, "volume_backend_name": name, **host}
    return sections


def _theirs(cloud: Cloud, kind: Kind, names: tuple[str, ...]) -> Sections:
    """The operator's options, without the sections of other kinds' back ends, and what only one kind has."""
    others = set(backends(cloud)) - set(names)
    written = {"enabled_backends"} if kind == "cluster" else {"enabled_backends", "cluster"}
    return {
        section: {n: v for n, v in options.items() if section != "DEFAULT" or n not in written}
        for section, options in operators(cloud, "cinder_volume", FILE).items()
        if section not in others
    }

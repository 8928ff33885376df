"""cinder-volume: what carries out what users ask of volumes.

With drivers that support it, on every storage host at once, as one cluster under Valkey's locks. With any other driver
(and by default), on one host at a time: the unit runs on all of them under a lease in the database (`lease`), and all
go by the same name, `backend_host`, so that a volume is not tied to the host that made it.

Back ends are the operator's: `enabled_backends` and a section for each in `cinder-volume.conf`. Without any, it is
Cinder's test driver, whose volumes keep nothing: for labs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import cinder, lease, openstack, sandbox, units
from fournines.services.capabilities import Port
from fournines.services.render import Sections
from fournines.services.resource import Package, Resource
from fournines.services.service import Check, HaPattern, Service
from fournines.timing import timers

#: Logs what it would do.
FAKE_DRIVER = "cinder.tests.fake_driver.FakeLoggingVolumeDriver"
#: Modules of drivers with SUPPORTS_ACTIVE_ACTIVE in Cinder 26.0.
_ACTIVE_ACTIVE = tuple(
    f"cinder.volume.drivers.{name}."
    for name in (
        "ceph.rbd_iscsi", "dell_emc.powerflex", "dell_emc.powermax", "dell_emc.powerstore", "lightos",
        "netapp.dataontap", "pure", "rbd", "solidfire", "yadro",
    )
)  # fmt: skip
CONFIG = "/etc/cinder/cinder-volume.conf"
VOLUME = units.Daemon(
    unit=cinder.VOLUME_UNIT,
    service="cinder",
    description="OpenStack Cinder volume",
    user="cinder",
    command=f"/usr/bin/cinder-volume --config-file {cinder.CONFIG} --config-file {CONFIG}",
    sandbox=sandbox.by_sudo("attaches volumes, and drives many back ends' tools, as root"),
)


class CinderVolume(Service):
    name: ClassVar[str] = "cinder_volume"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_PASSIVE
    roles: ClassVar[tuple[str, ...]] = ("storage",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("cinder",)
    units: ClassVar[tuple[str, ...]] = (VOLUME.unit,)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(
            3260, "tcp", ("nova_compute", "cinder_volume"), "iSCSI, of back ends on this host", "storage", always=False
        ),
    )
    databases: ClassVar[tuple[str, ...]] = (lease.DATABASE,)
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {"cinder-volume.conf": ("cinder",)}

    def failover(self, cloud: Cloud) -> float:
        """The lease's end, and the start of a daemon; with several at work, the scheduler's patience with one."""
        t = timers(cloud)
        return t.service_down if together(cloud) else t.service_lease + 5.0

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield Package("cinder-volume")
        if any(driver(cloud, name).startswith("cinder.volume.drivers.rbd.") for name in backends(cloud)):
            yield Package("python3-rbd")
        yield cinder.config(cloud, host)
        sections = _backends(cloud, cloud.region_of(host))
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="cinder", units=self.units)
        if together(cloud):
            yield from units.daemon(cloud, VOLUME)
        else:
            yield from lease.leased(cloud, host, VOLUME)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield units.runs(host, VOLUME.unit)
        if not together(cloud) and host == cloud.hosts_of(self.name, host.region)[0]:
            yield lease.held(host, VOLUME.unit)


def backends(cloud: Cloud) -> tuple[str, ...]:
    """Names of sections: the operator's `enabled_backends`, else one of the lab's."""
    theirs = cloud.options("cinder_volume", "cinder-volume.conf").get("DEFAULT", {}).get("enabled_backends", "fake")
    return tuple(name.strip() for name in str(theirs).split(",") if name.strip())


def driver(cloud: Cloud, backend: str) -> str:
    """The class behind `backend`; "": the file does not say."""
    section = cloud.options("cinder_volume", "cinder-volume.conf").get(backend, {})
    return str(section.get("volume_driver", FAKE_DRIVER if backend == "fake" else ""))


def together(cloud: Cloud) -> bool:
    """Every backend's driver may be at work on several hosts at once."""
    drivers = [driver(cloud, name) for name in backends(cloud)]
    return bool(drivers) and all(name.startswith(_ACTIVE_ACTIVE) for name in drivers)


def cluster(cloud: Cloud, region: Region) -> str:
    """The name under which several hosts' `cinder-volume` work on the same backends at once; "": one host at a time."""
    return f"{cloud.name}-{region.name}" if together(cloud) else ""


def _backends(cloud: Cloud, region: Region) -> Sections:
    names, shared = backends(cloud), cluster(cloud, region)
    sections: dict[str, dict[str, Any]] = {"DEFAULT": {"enabled_backends": ",".join(names), "cluster": shared or None}}
    for name in names:
        own = {"volume_driver": FAKE_DRIVER} if driver(cloud, name) == FAKE_DRIVER else {}
        # Whichever host serves it, its volumes belong to the same name.
        host = {} if shared else {"backend_host": f"{cloud.name}-{region.name}"}
        sections[name] = {**own, "volume_backend_name": name, **host}
    return sections

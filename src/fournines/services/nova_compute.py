"""Nova's compute service, one a host: watched, restarted, not redundant.

All it needs is in `nova-compute.conf`, which the package would read after `nova.conf`: a compute holds no password of
the database, also where the control plane shares its host. It talks to the cloud through conductors, over the bus.

A compute's identity is a file that Nova otherwise writes at the first start, and refuses to start without at the next:
here it follows from the cloud's, the region's and the host's names, so that a host whose disk was replaced is the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import Component
from fournines.services import consoles, nova, openstack, sandbox, units
from fournines.services.capabilities import Port
from fournines.services.render import Sections, template
from fournines.services.resource import File, Package, Resource, Unit
from fournines.services.safeguard import Safeguard, is_set, when
from fournines.services.service import Check, HaPattern, Service
from fournines.services.timed import Timed

CONFIG = "/etc/nova/nova-compute.conf"
IDENTITY = "/var/lib/nova/compute_id"
VIRT_TYPE = "/usr/lib/fournines/virt-type"
LIBVIRT = "libvirtd.service"
DRIVERS = {"libvirt": "libvirt.LibvirtDriver", "fake": "fake.FakeDriverWithoutFakeNodes"}
UNIT = "nova-compute.service"


class NovaCompute(Service):
    name: ClassVar[str] = "nova_compute"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = ("compute",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("nova",)
    after: ClassVar[tuple[str, ...]] = ("neutron_l2",)
    units: ClassVar[tuple[str, ...]] = (UNIT,)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(5900, "tcp", ("nova",), "consoles of servers, for the console proxy", last=6899, always=False),
    )
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {"nova-compute.conf": ("nova.conf",)}
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {"nova-compute.conf": nova.TIMED}

    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("nova-compute.conf"),
        *openstack.each_host("nova-compute.conf", "DEFAULT", "host", "my_ip"),
        *openstack.each_host("nova-compute.conf", "vnc", "server_listen", "server_proxyclient_address"),
        Safeguard(
            "nova-compute.conf",
            "DEFAULT",
            "resume_guests_state_on_host_boot",
            when("false"),
            "after a power failure servers stay off until their users start them",
            "remove it",
        ),
        Safeguard(
            "nova-compute.conf",
            "DEFAULT",
            "compute_driver",
            is_set,
            "packages and units are those of the pattern",
            "pattern.compute",
            fatal=True,
        ),
        *(
            Safeguard("qemu.conf", "", option, wrong, why, "remove it: tls.internal decides", fatal=True)
            for option, wrong, why in (
                ("vnc_tls", when("0", "false"), "consoles go over the network in the clear"),
                ("vnc_tls_x509_verify", when("0", "false"), "any host that reaches a console's port may use it"),
                ("vnc_tls_x509_cert_dir", is_set, "the certificates are placed where fournines says"),
                ("vnc_listen", is_set, "each server's console listens on its host's own address"),
            )
        ),
        Safeguard(
            "nova-compute.conf",
            "DEFAULT",
            "instances_path",
            is_set,
            "the folder is the package's: another one is neither made nor watched",
            "remove it, or mount what you want at /var/lib/nova/instances",
        ),
    )

    def units_in(self, cloud: Cloud) -> tuple[str, ...]:
        return (*self.units, LIBVIRT) if cloud.pattern.compute == "libvirt" else self.units

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region = cloud.region_of(host)
        for package in ("nova-compute", "nova-compute-qemu"):
            yield Package(package)
        sections = openstack.merged(
            openstack.common(),
            openstack.messaging(cloud, region, "nova", host),
            openstack.notifications(cloud, region, "nova", host),
            nova.shared(cloud, host),
            _own(cloud, host),
        )
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="nova", units=self.units)
        yield File(IDENTITY, f"{_identity(cloud, host)}\n", owner="nova", group="nova")
        yield from _hypervisor(cloud, host)
        yield from units.daemon(cloud, _daemon(cloud))

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield units.runs(cloud, host, UNIT)


def _hypervisor(cloud: Cloud, host: Host) -> Iterable[Resource]:
    if cloud.pattern.compute == "libvirt":
        yield File(VIRT_TYPE, template("nova/virt-type.sh.j2"), mode=0o755)
        yield from consoles.compute(cloud, host, LIBVIRT)
        yield Unit(LIBVIRT)
    else:
        for unit in (LIBVIRT, "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"):
            yield Unit(unit, state="masked")


def _daemon(cloud: Cloud) -> units.Daemon:
    libvirt = cloud.pattern.compute == "libvirt"
    return units.Daemon(
        unit=UNIT,
        service="nova_compute",
        description="OpenStack Nova compute",
        user="nova",
        command=f"/usr/bin/nova-compute --config-file {CONFIG}",
        config="nova-compute.conf",
        decided=(("libvirt", "virt_type", VIRT_TYPE),) if libvirt else (),
        after=(LIBVIRT, "openvswitch-switch.service") if libvirt else (),
        sandbox=sandbox.by_sudo("makes servers' disks, mounts and devices as root") if libvirt else None,
    )


def _own(cloud: Cloud, host: Host) -> Sections:
    sections: dict[str, dict[str, Any]] = {
        "DEFAULT": {"compute_driver": DRIVERS[cloud.pattern.compute], "resume_guests_state_on_host_boot": True},
        # Consoles are on the management network; the proxy is what users reach.
        "vnc": {"server_listen": host.address, "server_proxyclient_address": host.address},
    }
    return sections


def _identity(cloud: Cloud, host: Host) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{host.name}.{host.region}.{cloud.name}.compute")

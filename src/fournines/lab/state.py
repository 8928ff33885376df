"""What a lab consists of, as plain data, and where it is kept.

Every name on the machine (cgroup, bridge, port, machine) follows from the cloud's, the host's and the network's name,
so that what a crashed run left behind is found without having been written down.

    $FOURNINES_HOME (default /var/lib/fournines)
        images/<digest>/{root/,image.json}; of virtual machines also {disk,kernel,initrd}
        labs/<cloud>/{lab.json,redfish.json,ssh/,tls/,luns/,hosts/<host>/{upper,work,luns/,console.log}}
        a virtual machine has hosts/<host>/disk in the place of upper and work
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from fournines.cloud.model import Cloud, Host, LabKind, Network
from fournines.errors import LabError

#: RFC 2544's range for benchmarking: never routed, so no lab can shadow a real network.
RANGE = IPv4Network("198.18.0.0/15")
HOME = Path(os.environ.get("FOURNINES_HOME", "/var/lib/fournines"))
LABS = HOME / "labs"
IMAGES = HOME / "images"


@dataclass(frozen=True)
class Bridge:
    """`address` is the machine's own, the first of the network."""

    network: str
    device: str
    address: IPv4Interface
    mac: str


@dataclass(frozen=True)
class Port:
    """`device` is the machine's end, `interface` the host's. None: a device without an address."""

    network: str
    bridge: str
    device: str
    interface: str
    address: IPv4Interface | None
    mac: str


@dataclass(frozen=True)
class Controller:
    """A host's own power controller, at an address of the machine's on `bridge`."""

    bridge: str
    address: IPv4Address
    port: int


@dataclass(frozen=True)
class Disk:
    """One that other hosts see as well: `file` of the lab's folder `luns`, `device` in the host."""

    file: str
    device: str


@dataclass(frozen=True)
class LabHost:
    """`uuid` is the system's identity in Redfish. `address` is on the management network."""

    name: str
    uuid: str
    address: IPv4Address
    ports: tuple[Port, ...]
    controller: Controller | None = None
    luns: tuple[Disk, ...] = ()
    kind: LabKind = "nspawn"


@dataclass(frozen=True)
class VirtualMachines:
    """What those of a lab have in common. `image`: digest. `accelerator`: what QEMU runs them by; `why` not by KVM."""

    image: str
    accelerator: Literal["kvm", "tcg"]
    why: str = ""


@dataclass(frozen=True)
class Lab:
    """`image`: digest of the containers' image, a directory's name in IMAGES; "" where none is needed. Hosts keep the
    image that they were made from. `vms`: None where no host is a virtual machine."""

    cloud: str
    image: str
    bridges: tuple[Bridge, ...]
    hosts: tuple[LabHost, ...]
    vms: VirtualMachines | None = None

    @property
    def directory(self) -> Path:
        return LABS / self.cloud

    @property
    def root_image(self) -> Path:
        return IMAGES / self.image / "root"

    @property
    def images(self) -> frozenset[str]:
        """Digests of all that its hosts are made from."""
        return frozenset({self.image, self.vms.image if self.vms else ""} - {""})

    @property
    def gateway(self) -> IPv4Address:
        """The machine's address on the first network: where the Redfish endpoint listens."""
        return self.bridges[0].address.ip

    def host(self, name: str) -> LabHost:
        """Raises LabError when there is no such host."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(h.name for h in self.hosts)
        raise LabError(f"Lab {self.cloud} has no host {name}", next=f"choose one of: {known}")

    def host_directory(self, host: str) -> Path:
        return self.directory / "hosts" / host


def design(cloud: Cloud, image: str, vms: VirtualMachines | None = None) -> Lab:
    """The lab of `cloud`. Raises LabError for networks outside 198.18.0.0/15 or that overlap one another, and for a
    virtual machine that sees a LUN."""
    bridges = tuple(
        _bridge(cloud.name, region.name, network)
        for region in cloud.regions.values()
        for network in region.networks.values()
    )
    for index, bridge in enumerate(bridges):
        if not bridge.address.network.subnet_of(RANGE):
            raise LabError(
                f"Network {bridge.network} of {cloud.name} is {bridge.address.network}, outside {RANGE}",
                why="a lab uses the range reserved for benchmarking, so that it can never shadow a real network",
                next=f"give the networks addresses in {RANGE}",
            )
        for other in bridges[:index]:
            if bridge.address.network.overlaps(other.address.network):
                raise LabError(
                    f"Networks {other.network} and {bridge.network} of {cloud.name} overlap",
                    where=f"{other.address.network}, {bridge.address.network}",
                    next="give each network a range of its own",
                )
    hosts = tuple(_host(cloud, host) for host in cloud.hosts)
    return Lab(cloud=cloud.name, image=image, bridges=bridges, hosts=hosts, vms=vms)


def _bridge(cloud: str, region: str, network: Network) -> Bridge:
    address = IPv4Interface(f"{network.cidr.network_address + 1}/{network.cidr.prefixlen}")
    name = f"{cloud}/{region}/{network.name}"
    return Bridge(network.name, _device("fnb", name), address, _mac(name))


def _host(cloud: Cloud, host: Host) -> LabHost:
    ports: list[Port] = []
    for network_name, device in host.devices.items():
        address = host.addresses.get(network_name)
        network = cloud.region_of(host).networks[network_name]
        name = f"{cloud.name}/{host.name}/{network_name}"
        ports.append(
            Port(
                network=network_name,
                bridge=_device("fnb", f"{cloud.name}/{host.region}/{network_name}"),
                device=_device("fnp", name),
                interface=device,
                address=IPv4Interface(f"{address}/{network.cidr.prefixlen}") if address else None,
                mac=_mac(name),
            )
        )
    identity = uuid.uuid5(uuid.NAMESPACE_DNS, f"{host.name}.{cloud.name}.fournines")
    luns = tuple(
        Disk(f"{host.region}-{lun.name}", lun.device)
        for lun in cloud.region_of(host).luns.values()
        if host.name in lun.hosts
    )
    kind = cloud.lab_kind(host)
    if luns and kind == "vm":
        raise LabError(
            f"{host.name} is to be a virtual machine and to see a LUN",
            why="a LUN of a lab is a loop device of this machine's kernel, which containers share",
            next=f"let {host.name} be a container (lab: hosts:), or take it out of `storage: luns:`",
        )
    return LabHost(host.name, str(identity), host.address, tuple(ports), _controller(cloud, host), luns, kind)


def _controller(cloud: Cloud, host: Host) -> Controller | None:
    """Raises LabError when it is on no network of the region: nothing would lead there."""
    if host.bmc is None:
        return None
    for network in cloud.region_of(host).networks.values():
        if host.bmc.address in network.cidr:
            bridge = _device("fnb", f"{cloud.name}/{host.region}/{network.name}")
            return Controller(bridge, host.bmc.address, host.bmc.port)
    raise LabError(
        f"The power controller of {host.name} has an address on no network of {host.region}: {host.bmc.address}",
        why="a lab's power controllers are on its own networks",
        next="give `bmc: {address: …}` an address of one of them, or give the region a network for it",
    )


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _device(prefix: str, name: str) -> str:
    return f"{prefix}-{_digest(name)[:8]}"  # the kernel allows 15 bytes


def _mac(name: str) -> str:
    # Locally administered, and the same after every boot: as on hardware, neighbours' ARP caches stay right.
    return ":".join(["02", *(_digest(name)[i : i + 2] for i in range(0, 10, 2))])


@cache
def _adapter() -> TypeAdapter[Lab]:
    return TypeAdapter(Lab)


def save(lab: Lab) -> None:
    lab.directory.mkdir(parents=True, exist_ok=True)
    write_atomically(lab.directory / "lab.json", _adapter().dump_json(lab, indent=2))


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.touch(mode=mode)
    temporary.chmod(mode)
    temporary.write_bytes(content)
    temporary.rename(path)


def exists(cloud: str) -> bool:
    """Whether a lab of that name is up (or half up: made and not taken down)."""
    return (LABS / cloud / "lab.json").is_file()


def load(cloud: str) -> Lab:
    """The lab named `cloud`. Raises LabError when there is none or its record is damaged."""
    path = LABS / cloud / "lab.json"
    try:
        return _adapter().validate_json(path.read_bytes())
    except FileNotFoundError:
        raise LabError(
            f"There is no lab named {cloud}",
            why=f"labs: {', '.join(names()) or 'none'}",
            next="fournines lab up CLOUD",
        ) from None
    except (ValidationError, OSError) as error:
        raise LabError(
            f"The record of lab {cloud} cannot be read",
            where=str(path),
            why=str(error),
            next=f"fournines lab down {cloud}",
        ) from None


def names() -> list[str]:
    """Labs on this machine, including half-made ones."""
    return sorted(p.name for p in LABS.iterdir() if p.is_dir()) if LABS.is_dir() else []


def readable() -> Iterator[Lab]:
    """All labs whose record can be read."""
    for name in names():
        if exists(name):
            yield load(name)

"""Entries of `hosts:` to hosts: ranges expanded, addresses given out, roles turned into services."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as FilePath
from typing import TypeVar

from fournines.cloud import model, schema
from fournines.cloud.problems import Problems
from fournines.cloud.ranges import MOST_HOSTS, Start, expand, size
from fournines.cloud.source import Path, dotted

T = TypeVar("T")


@dataclass(frozen=True)
class Hosts:
    """The hosts of one region. `named` is shared by all regions: a host's name is unique in its cloud."""

    problems: Problems
    region: str
    networks: Mapping[str, model.Network]
    zones: Mapping[str, model.Zone]
    services: Mapping[str, frozenset[str]]  # role -> what it means in this region
    ssh: Callable[[schema.Ssh], model.Ssh]
    file: Callable[[str | None], FilePath | None]
    named: dict[str, Path]

    @property
    def _path(self) -> Path:
        return ("regions", self.region)

    def entry(self, pattern: str, written: schema.Host) -> Iterator[model.Host]:
        """The hosts of one entry, in order; none when its name, zone or management address cannot be used."""
        path: Path = (*self._path, "hosts", pattern)
        names = self._try(lambda: self._names(pattern), path, key=True)
        zone = self._zone(path, written.zone)
        roles = [r for i, r in enumerate(written.roles) if self._role((*path, "roles", i), r)]
        if not names or not self._unique(path, names):
            return
        columns, devices = self._addresses(path, written, len(names)), self._devices(path, written)
        controllers = self._controllers(path, written.bmc, len(names))
        if zone is None or "management" not in columns:
            return
        services = frozenset[str]().union(*(self.services[r] for r in roles))
        ssh = self.ssh(written.ssh)
        for i, name in enumerate(names):
            addresses = {network: column[i] for network, column in columns.items()}
            yield model.Host(
                name,
                self.region,
                zone,
                addresses["management"],
                addresses,
                tuple(roles),
                services,
                ssh,
                path,
                tuple(written.projects),
                devices,
                controllers[i] if controllers else None,
            )

    def _controllers(self, path: Path, written: schema.Bmc | None, count: int) -> list[model.Bmc]:
        """The management controller of each host; [] where the entry has none."""
        if written is None:
            return []
        start, where = written.address, (*path, "bmc", "address")
        # It is on a network of its own, which the file need not describe: any address will do.
        addresses = self._try(lambda: start.take(count, IPv4Network("0.0.0.0/0")), where) or []
        return [
            model.Bmc(
                address,
                written.port,
                written.user,
                (written.system or "").rstrip("/"),
                self.file(written.ca),
                written.verify,
            )
            for address in addresses
        ]

    def _names(self, pattern: str) -> list[str]:
        """Raises ValueError."""
        count = len(self.named) + size(pattern)
        if self.named and count > MOST_HOSTS:
            raise ValueError(f"with {pattern} the cloud has {count:,} hosts; at most {MOST_HOSTS:,} fit one")
        return expand(pattern)

    def _try(self, attempt: Callable[[], T], path: Path, *, key: bool = False) -> T | None:
        try:
            return attempt()
        except ValueError as error:
            self.problems.wrong(path, str(error), key=key)
            return None

    def _zone(self, path: Path, name: str) -> model.Zone | None:
        declared = (*self._path, "zones", name) in self.problems.places
        if name not in self.zones and not declared:
            self.problems.known((*path, "zone"), "zone", name, self.zones)
        return self.zones.get(name)

    def _role(self, path: Path, name: str) -> bool:
        if name not in self.services and ("roles", name) in self.problems.places:
            return False
        return self.problems.known(path, "role", name, self.services)

    def _unique(self, path: Path, names: list[str]) -> bool:
        for name in names:
            if other := self.named.get(name):
                line = self.problems.places.find(other, key=True).line
                self.problems.wrong(path, f"{name} is there already: {dotted(other)} on line {line}", key=True)
                return False
        self.named.update(dict.fromkeys(names, path))
        return True

    def _addresses(self, path: Path, written: schema.Host, count: int) -> dict[str, list[IPv4Address]]:
        """Network -> the address of each host."""
        given = written.addresses
        columns: dict[str, list[IPv4Address]] = {}
        for name in given:
            where: Path = (*path, "addresses", name)
            if name == "management":
                self.problems.wrong(where, "the management address is `address` itself", "remove it here", key=True)
            else:
                self._network(where, name)
        for name, network in self.networks.items():
            start = written.address if name == "management" else given.get(name)
            if start:
                where = (*path, "address") if name == "management" else (*path, "addresses", name)
                column = self._try(lambda s=start, n=network: s.take(count, n.cidr), where)
            elif name in given or name == model.EXTERNAL:
                column = None
            else:
                column = self._same_offset(path, written.address, network, count)
            if column:
                columns[name] = column
        return columns

    def _network(self, where: Path, name: str) -> bool:
        if name in self.networks or (*self._path, "networks", name) in self.problems.places:
            return True
        return self.problems.known(where, "network", name, self.networks, key=True)

    def _same_offset(self, path: Path, start: Start, network: model.Network, count: int) -> list[IPv4Address] | None:
        """The addresses as far into `network` as `address` is into the management network."""
        if "management" not in self.networks:
            return None
        management = self.networks["management"].cidr
        offset = int(start.first) - int(management.network_address)
        if not 0 <= offset < management.num_addresses:
            return None  # said of `address` itself
        first = int(network.cidr.network_address) + offset
        usable = network.cidr.num_addresses - (1 if network.cidr.prefixlen < 31 else 0)  # less the broadcast address
        fitting = min(max(usable - offset, 0), count)
        if fitting == count:
            return [IPv4Address(n) for n in range(first, first + count)]
        names = expand(str(path[-1]))[fitting:]
        more = f" and {len(names) - 1} more hosts have" if len(names) > 1 else " has"
        self.problems.wrong(
            path,
            f"{names[0]}{more} no address on network {network.name}: offset {offset + fitting} of `management` "
            f"({management}) is outside {network.cidr}",
            f"addresses: {{{network.name}: ADDRESS}}, or {{{network.name}: null}} where it is not attached",
            key=True,
        )
        return None

    def _devices(self, path: Path, written: schema.Host) -> dict[str, str]:
        """Network -> device, of every network that the entry's hosts are on."""
        for name in written.interfaces:
            where: Path = (*path, "interfaces", name)
            if self._network(where, name) and name in written.addresses and written.addresses[name] is None:
                self.problems.wrong(where, f"it is not attached to {name}", f"remove addresses.{name}", key=True)
        attached = {n: w for n, w in self.networks.items() if n not in written.addresses or written.addresses[n]}
        devices = {name: written.interfaces.get(name, network.interface) for name, network in attached.items()}
        for name, device in devices.items():
            if other := next((n for n, d in devices.items() if d == device and n != name), None):
                where = (*path, "interfaces", name) if name in written.interfaces else path
                self.problems.wrong(where, f"{device} is the device of {other} and of {name}", "one device a network")
                break
        return devices

"""The written file to the cloud of `cloud.model`: ranges, addresses, roles, names that refer to one another.

Goes on after a problem. A part that the schema already refused is absent from the model but present in the file: what
refers to it is not reported a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath
from typing import Any, cast

from fournines.cloud import model, roles, schema
from fournines.cloud.hosts import Hosts
from fournines.cloud.problems import Problems
from fournines.cloud.ranges import expand
from fournines.cloud.releases import releases
from fournines.cloud.resolve_handlers import handlers_of, receivers_of
from fournines.cloud.source import Path, Places
from fournines.errors import Problem


def resolve(
    written: schema.CloudFile, places: Places, source: FilePath, catalogue: roles.Catalogue
) -> tuple[model.Cloud, list[Problem]]:
    """The cloud, less what could not be resolved, and what is wrong. Its secrets are in memory only."""
    resolver = _Resolver(written, Problems(places), source, catalogue)
    return resolver.cloud(), resolver.problems.found


class _Resolver:
    def __init__(
        self, written: schema.CloudFile, problems: Problems, source: FilePath, catalogue: roles.Catalogue
    ) -> None:
        self.written = written
        self.problems = problems
        self.source = source
        self.every = catalogue
        self.catalogue = roles.chosen(catalogue, written.pattern.model_dump())
        self.wanted = self._components()
        self.roles = self._roles()
        self._named: dict[str, Path] = {}  # host -> the entry that names it
        self._public_names: dict[str, str] = {}  # name -> region

    def cloud(self) -> model.Cloud:
        written = self.written
        self.problems.known(("release",), "release", written.release, releases())
        if self.problems.places.empty(("regions",)):
            self.problems.wrong(("regions",), "a cloud needs at least one region", key=True)
        regions = {name: self._region(name, region) for name, region in written.regions.items()}
        return model.Cloud(
            name=written.cloud,
            release=written.release,
            pattern=model.Pattern(**written.pattern.model_dump()),
            timing=model.TimingSpec(**written.timing.model_dump()),
            regions=regions,
            roles={**self.roles, **roles.shipped(self.catalogue)},
            services=self._services(),
            tls=self._tls(),
            source=self.source,
            secrets=model.Secrets(),
            accept=written.accept,
            components=self.wanted,
            design=self._design(),
            logs=self._logs(),
            handlers=handlers_of(self.written, self.problems, self._file),
            receivers=receivers_of(self.written, self.problems, self._file),
            lab=self._lab({host.name for region in regions.values() for host in region.hosts}),
            places=self.problems.places,
        )

    def _components(self) -> frozenset[str]:
        known = roles.selectable(self.every)
        names = self.written.components
        # A name alone stands where a list of them would have its elements.
        listed = ("components", 0) in self.problems.places
        good = [
            name
            for i, name in enumerate(names)
            if self.problems.known(("components", i) if listed else ("components",), "component", name, known)
            and self._chosen(("components", i) if listed else ("components",), name)
        ]
        return roles.selected(good, self.catalogue)

    def _roles(self) -> Mapping[str, frozenset[str]]:
        """The operator's own."""
        own: dict[str, frozenset[str]] = {}
        for name, services in self.written.roles.items():
            path: Path = ("roles", name)
            if name in roles.SHIPPED:
                self.problems.wrong(path, f"{name} is a shipped role", "choose another name", key=True)
            named = enumerate(services)
            own[name] = frozenset(
                s
                for i, s in named
                if self.problems.known((*path, i), "service", s, self.every.keys()) and self._chosen((*path, i), s)
            )
        return {name: services for name, services in own.items() if name not in roles.SHIPPED}

    def _chosen(self, path: Path, service: str) -> bool:
        """Whether a cloud of this pattern may have `service`; a component that is a set always."""
        if service not in self.every or service in self.catalogue:
            return True
        tier, value = next(iter(self.every[service].mechanism.items()))
        said = getattr(self.written.pattern, tier) or "none"
        self.problems.wrong(
            path, f"{service} belongs to pattern.{tier}: {value}, and this cloud's is {said}", "name one of them"
        )
        return False

    def _region(self, name: str, region: schema.Region) -> model.Region:
        path: Path = ("regions", name)
        networks = {n: self._network((*path, "networks", n), n, w) for n, w in region.networks.items()}
        if (*path, "networks") in self.problems.places:
            for needed in ("management", "public"):
                if (*path, "networks", needed) not in self.problems.places:
                    self.problems.wrong((*path, "networks"), f"{needed} is missing", f"add {needed}: CIDR", key=True)
        if not region.hosts and self.problems.places.empty((*path, "hosts")):
            self.problems.wrong((*path, "hosts"), "a region needs at least one host", key=True)
        zones = {z: model.Zone(z, w.power, w.switch) for z, w in region.zones.items()}
        used = {r for h in region.hosts.values() for r in h.roles}
        services = roles.placed(self.roles, self.catalogue, used, self.wanted, outside=bool(region.scrapers))
        entries = Hosts(self.problems, name, networks, zones, services, self._ssh, self._file, self._named)
        hosts = tuple(host for pattern, w in region.hosts.items() for host in entries.entry(pattern, w))
        vrid = region.vips.vrid or _vrid(self.written.cloud, name)
        vips = model.Vips(region.vips.internal, region.vips.public, vrid, region.vips.moving)
        scrapers = tuple(dict.fromkeys(region.scrapers))
        luns = {n: self._lun(path, n, w, hosts) for n, w in region.storage.luns.items()}
        return model.Region(name, vips, networks, zones, hosts, self._public_name(name, region), scrapers, luns)

    def _lun(self, region: Path, name: str, written: schema.Lun, hosts: tuple[model.Host, ...]) -> model.Lun:
        path: Path = (*region, "storage", "luns", name)
        names = [h.name for h in hosts]
        seen: list[str] = []
        for i, host in enumerate(written.hosts):
            if (*region, "hosts", host) in self.problems.places and host not in names:
                continue  # said of the host itself
            if self.problems.known((*path, "hosts", i), "host", host, names):
                seen.append(host)
        return model.Lun(name, written.device, tuple(dict.fromkeys(seen)), path)

    def _public_name(self, region: str, written: schema.Region) -> str:
        name = written.public_name or ""
        first = self._public_names.setdefault(name, region) if name else region
        if first != region:
            message = f"{name} is the public name of region {first} too"
            self.problems.wrong(("regions", region, "public_name"), message, "a name for each region's VIP")
        return name

    def _network(self, path: Path, name: str, written: schema.Network) -> model.Network:
        interface = written.interface or name
        if len(interface) > 15:  # IFNAMSIZ, less the final NUL
            self.problems.wrong(path, f"{name} is too long for an interface's name", "add interface: NAME", key=True)
        return model.Network(name, written.cidr, interface)

    def _services(self) -> Mapping[str, model.ServiceConfig]:
        configured: dict[str, model.ServiceConfig] = {}
        for name, service in self.written.services.items():
            path: Path = ("services", name)
            if self.problems.known(path, "service", name, self.every.keys(), key=True):
                options = {f: self._sections((*path, "options", f), o) for f, o in service.options.items()}
                configured[name] = model.ServiceConfig(options, passive=service.ha == "passive")
        return configured

    def _sections(self, path: Path, written: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        """Section -> option -> value; an option that stands in no section goes to section ""."""
        sections: dict[str, dict[str, Any]] = {}
        for key, value in written.items():
            if isinstance(value, dict):
                for option, setting in cast(dict[str, Any], value).items():
                    self._setting((*path, key, option), setting)
                    sections.setdefault(key, {})[option] = setting
            else:
                self._setting((*path, key), value)
                sections.setdefault("", {})[key] = value
        return sections

    def _setting(self, path: Path, value: object) -> None:
        """`null` removes an option that fournines sets."""
        items = cast(list[object], value) if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(item, (str, int, float)) for item in items):
            self.problems.wrong(path, "an option takes a number, text, true, false, null, or a list")

    def _design(self) -> model.DesignSpec:
        """Targets name functions, which `services` knows: `check` looks at those."""
        written = self.written.design
        things = {*model.FAILURE_KINDS, *self.every}
        known = self.problems.known
        return model.DesignSpec(
            target=written.target,
            targets=written.targets,
            failures={
                name: (f.mttf, f.mttr)
                for name, f in written.failures.items()
                if known(("design", "failures", name), "component or service", name, things, key=True)
            },
            failover={
                name: seconds
                for name, seconds in written.failover.items()
                if known(("design", "failover", name), "service", name, self.every.keys(), key=True)
            },
            coverage=written.coverage,
            manual=written.manual,
        )

    def _lab(self, hosts: Collection[str]) -> Mapping[str, model.LabKind]:
        """Host -> kind. One that the file names, and that cannot be used, is not reported a second time."""
        kinds: dict[str, model.LabKind] = {}
        for pattern, kind in self.written.lab.hosts.items():
            path: Path = ("lab", "hosts", pattern)
            try:
                names = expand(pattern)
            except ValueError as error:
                self.problems.wrong(path, str(error), key=True)
                continue
            for name in names:
                if name not in hosts and name in self._named:
                    continue
                if not self.problems.known(path, "host", name, hosts, key=True):
                    break
                if kinds.setdefault(name, kind) != kind:
                    self.problems.wrong(path, f"{name} is {kinds[name]} by another entry", "one kind a host", key=True)
                    break
        return kinds

    def _tls(self) -> model.Tls:
        tls = self.written.tls
        for one, other in (("certificate", "key"), ("key", "certificate"), ("ca", "certificate")):
            if getattr(tls, one) and not getattr(tls, other) and ("tls", other) not in self.problems.places:
                self.problems.wrong(("tls", one), f"a {one} without a {other}", f"add {other}: FILE", key=True)
        return model.Tls(*(self._file(f) for f in (tls.certificate, tls.key, tls.ca)), internal=tls.internal)

    def _logs(self) -> model.Logs:
        logs = self.written.logs
        if logs.ca and not (logs.to or "").startswith(("tls:", "https:")):
            self.problems.wrong(("logs", "ca"), "a ca for what is not encrypted", "to: tls://… or https://…", key=True)
        return model.Logs(logs.to or "", self._file(logs.ca))

    def _file(self, name: str | None) -> FilePath | None:
        """`~` is the home directory; relative paths begin at the cloud file's."""
        if name is None:
            return None
        try:
            return self.source.parent / FilePath(name).expanduser()
        except RuntimeError:  # "~nobody-by-that-name": the path as it is says it best when it cannot be opened
            return self.source.parent / name

    def _ssh(self, written: schema.Ssh) -> model.Ssh:
        common = self.written.ssh
        return model.Ssh(
            written.user or common.user or "root",
            written.port or common.port or 22,
            self._file(written.key or common.key),
            self._file(written.known_hosts or common.known_hosts),
        )


def _vrid(cloud: str, region: str) -> int:
    """1..255, the same on every machine: two clouds on one network then rarely share one by accident."""
    return int.from_bytes(hashlib.sha256(f"{cloud}/{region}".encode()).digest()[:4], "big") % 255 + 1

"""What a host's rendered files say of its size: processes, pools, ceilings. Read from the very files that are deployed,
so that no second table of settings can go stale."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from fournines.cloud.model import Cloud, Host
from fournines.services import registry
from fournines.services.capabilities import UsesDatabase, present
from fournines.services.resource import File
from fournines.services.service import Service

#: As services/templates/units/workers.sh.j2 counts: half the cores, one for each 6 GiB, at most 8, at least LEAST.
_WORKERS = re.compile(r"/usr/lib/fournines/workers (\d+)")
_OPTION = re.compile(r"^\s*([\w.-]+)\s*=\s*(\S+)", re.MULTILINE)
_SECTION = re.compile(r"^\[([^\]]+)\]$", re.MULTILINE)
_DATABASE = re.compile(r"^\[database\]$", re.MULTILINE)
_DJANGO = "django.db.backends.mysql"
#: oslo.db's own, where a file does not say (oslo.db.options).
_POOL, _OVERFLOW = 5, 50


@dataclass(frozen=True)
class Size:
    """Of a controller: cores, and memory in GiB."""

    cores: int
    memory: float

    def workers(self, least: int) -> int:
        return max(least, min(self.cores // 2, int(self.memory / 6), 8))


@dataclass(frozen=True)
class Rendered:
    """One service on one host."""

    service: Service
    files: tuple[File, ...]
    size: Size

    @cached_property
    def processes(self) -> int:
        """Units, each with as many processes as the host suits, where its unit asks for that."""
        texts = self._unit_files
        return sum(self._of_unit(texts.get(unit, "")) for unit in self.service.units if unit.endswith(".service"))

    @cached_property
    def _unit_files(self) -> dict[str, str]:
        return {f.path.rpartition("/")[2]: f.content for f in self.files if f.path.endswith(".service")}

    def _of_unit(self, text: str) -> int:
        asked = [int(least) for least in _WORKERS.findall(text)]
        return sum(self.size.workers(least) for least in asked) or 1

    @cached_property
    def pool(self) -> int:
        """Database connections that one process may hold, over all its databases. Django has one a thread."""
        threads = int(self.option("threads") or 1) if any(_DJANGO in f.content for f in self.files) else 0
        return threads + sum(pool for f in self.files for pool in _pools(f.content))

    @cached_property
    def on_the_bus(self) -> int:
        """Processes that talk to the bus: those of the units that are written here; others come with their package."""
        if not any("rabbit://" in f.content for f in self.files):
            return 0
        return sum(self._of_unit(text) for unit, text in self._unit_files.items() if unit in self.service.units)

    def option(self, name: str) -> str:
        """The last value that any file gives to `name`; "" for none."""
        return next((v for f in reversed(self.files) for n, v in reversed(_OPTION.findall(f.content)) if n == name), "")

    def argument(self, flag: str) -> int:
        """Of a file of command-line arguments: `-m 256`."""
        found = [m for f in self.files for m in re.findall(rf"^{re.escape(flag)} (\d+)$", f.content, re.MULTILINE)]
        return int(found[-1]) if found else 0


#: Of a host on which every service has as many processes as it ever takes.
LARGEST = Size(16, 48.0)
#: For people, agents and probes; and never less than this in all.
_SPARE, _LEAST = 200, 500


@lru_cache(maxsize=8)
def connections(cloud: Cloud, region: str) -> int:
    """What the database of `region` must let in: every pool of every process full, on hosts of any size."""
    total = _SPARE
    for service in present(cloud, region):
        if isinstance(service, UsesDatabase):
            hosts = cloud.hosts_of(service.name, region)
            files = tuple(r for r in service.desired(cloud, hosts[0]) if isinstance(r, File))
            one = Rendered(service, files, LARGEST)
            total += one.processes * one.pool * len(hosts)
    return max(_LEAST, math.ceil(total / 100) * 100)


def rendered(cloud: Cloud, host: Host, size: Size) -> Iterator[Rendered]:
    for name, service in registry().items():
        if name in host.services:
            files = tuple(r for r in service.desired(cloud, host) if isinstance(r, File))
            yield Rendered(service, files, size)


def _pools(text: str) -> Iterable[int]:
    if "mysql+pymysql://" not in text:
        return
    bounds = [m.start() for m in _SECTION.finditer(text)] + [len(text)]
    sections = [dict(_OPTION.findall(text[start:end])) for start, end in pairwise(bounds)]
    shared = dict(_OPTION.findall(text[m.start() :].partition("\n[")[0])) if (m := _DATABASE.search(text)) else {}
    for options in sections:
        # Gnocchi has the address in a section of its own, and the pool where all have it.
        size = options if "connection" in options else shared
        if options.get("connection", options.get("url", "")).startswith("mysql+pymysql://"):
            yield int(size.get("max_pool_size", _POOL)) + int(size.get("max_overflow", _OVERFLOW))


def in_bytes(text: str) -> float:
    """`256M`, `16G`; 0.0 for what is no size."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text)
    return int(match[1]) * 1024 ** " KMG".index(match[2] or " ") if match else 0.0

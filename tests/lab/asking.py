"""`prove`'s clients, while a test does what it likes with the cloud."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from fournines.cloud.model import Cloud
from fournines.prove import history
from fournines.prove.figures import Phases, figures
from fournines.prove.grounds import grounds
from fournines.prove.load.control import LoadProcess
from fournines.prove.load.spec import LoadSpec
from fournines.prove.model import FunctionFigures, Operation
from fournines.prove.probes import PROBES
from fournines.services.tls import trusted

#: What does not need the bus.
FUNCTIONS = ("validate", "list_projects", "authenticate", "create_project", "read_row", "write_row")
QUIET_S = 10.0
T = TypeVar("T")


@dataclass(frozen=True)
class Asked(Generic[T]):
    """figures: of each function, from when the work began. operations: all. read: what was read when the last was
    answered."""

    figures: dict[str, FunctionFigures]
    operations: tuple[Operation, ...]
    read: T

    def acknowledged(self, function: str) -> set[str]:
        return {o.value for o in self.operations if o.function == function and o.outcome == "ok"}


async def asked(
    cloud: Cloud, directory: Path, prefix: str, work: Callable[[], None], read: Callable[[], T]
) -> Asked[T]:
    """Runs `work`, then `read`, each in a thread. prefix: begins what is written meanwhile, which `read` can still see,
    and which is removed then. Of a cloud with one region."""
    [region] = cloud.regions.values()
    cafile, epoch = directory / "ca.pem", time.monotonic()
    cafile.write_text(trusted(cloud))
    with history.Log(directory / history.EVENTS):
        async with grounds(cloud, region, str(cafile)) as own:
            spec = LoadSpec(
                epoch=epoch,
                history=str(directory / history.OPERATIONS),
                probes=FUNCTIONS,
                timeout=10.0,
                prefix=prefix,
                identity=own.identity(cloud, region),
                database=own.database(cloud, region),
                broker=own.broker(cloud, region, prefix),
            )
            load = LoadProcess(spec, lambda _: None)
            try:
                began = await load.start()
                await asyncio.sleep(QUIET_S)
                injected = time.monotonic() - epoch
                await asyncio.to_thread(work)
                until = time.monotonic() - epoch
                await asyncio.sleep(QUIET_S)
                ended = time.monotonic() - epoch
                await load.stop()
                seen = await asyncio.to_thread(read)
            finally:
                await load.kill()
    operations = history.read(directory).operations
    phases = Phases(began, injected, until, until, ended)
    found = {name: [o for o in operations if o.function == name] for name in FUNCTIONS}
    return Asked({name: figures(PROBES[name], ops, phases)[0] for name, ops in found.items()}, operations, seen)

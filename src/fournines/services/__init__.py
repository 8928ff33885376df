"""Services are found by name: every module here that defines a `Service` subclass named after it
(`neutron_l2`: `NeutronL2`)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from fournines import cloud
from fournines.cloud.model import Cloud
from fournines.cloud.roles import Catalogue, Entry
from fournines.errors import FourninesError
from fournines.services.service import HaPattern, Service


@cache
def registry() -> Mapping[str, Service]:
    """Name -> service, each after all that it needs; ties in alphabetical order.

    Raises FourninesError when services need one another in a circle.
    """
    found: dict[str, Service] = {}
    for info in pkgutil.iter_modules(__path__):
        title = "".join(word.capitalize() for word in info.name.split("_"))
        kind = getattr(importlib.import_module(f"{__name__}.{info.name}"), title, None)
        if isinstance(kind, type) and issubclass(kind, Service) and kind is not Service:
            found[info.name] = kind()
    return in_order(found)


def in_order(found: Mapping[str, Service]) -> Mapping[str, Service]:
    """As `registry` has them. Raises FourninesError."""
    ordered: dict[str, Service] = {}
    sorter = TopologicalSorter({name: service.follows for name, service in found.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " needs ".join(reversed(error.args[1]))
        raise FourninesError(
            "services need one another in a circle",
            where=f"fournines/services: `needs` of {', '.join(error.args[1][:-1])}",
            why=circle,
            next="one of them must start without the other",
        ) from None
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered |= {name: found[name] for name in ready}
        sorter.done(*ready)
    return ordered


@cache
def catalogue() -> Catalogue:
    """What the cloud layer is told of the services: plain data."""
    return {
        name: Entry(s.roles, s.component, s.needs, s.pattern is HaPattern.PER_HOST, s.mechanism, s.beside, s.reader)
        for name, s in registry().items()
    }


def load(path: str | Path) -> Cloud:
    """The cloud of the file at `path`. Raises CloudFileError."""
    return cloud.load(path, catalogue())

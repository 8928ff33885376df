"""Services are found by name: every module here that defines a `Service` subclass named after it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter

from fournines.services.service import Service


@cache
def registry() -> Mapping[str, Service]:
    """Name -> service, each after all that it needs; ties in alphabetical order."""
    found: dict[str, Service] = {}
    for info in pkgutil.iter_modules(__path__):
        kind = getattr(importlib.import_module(f"{__name__}.{info.name}"), info.name.capitalize(), None)
        if isinstance(kind, type) and issubclass(kind, Service) and kind is not Service:
            found[info.name] = kind()
    ordered: dict[str, Service] = {}
    sorter = TopologicalSorter({name: found[name].needs for name in found})
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered |= {name: found[name] for name in ready}
        sorter.done(*ready)
    return ordered

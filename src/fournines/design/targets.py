"""Targets of functions: `design.target` of the cloud file, and `design.targets` for single ones."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.design.derive import functions
from fournines.design.finding import Flaw
from fournines.errors import CloudFileError
from fournines.services import registry


def unknown_function(cloud: Cloud) -> Iterator[Flaw]:
    known = functions(registry())
    for name in cloud.design.targets:
        if name not in known:
            yield Flaw(
                ("design", "targets", name),
                "error",
                f"no service provides the function {name}",
                "nothing would ever be held to this target",
                suggest(name, known),
                key=True,
            )


def target(cloud: Cloud, function: str) -> float | None:
    """Availability in per cent that `function` is held to; None: nothing was promised."""
    return cloud.design.targets.get(function, cloud.design.target)


def require_known(cloud: Cloud) -> None:
    """Raises CloudFileError with the place of every target that names no function."""
    wrong = tuple(cloud.places.problem(f.path, f.what, f.change, key=True) for f in unknown_function(cloud))
    if wrong:
        raise CloudFileError(f"the targets of {cloud.places.file or cloud.name} cannot be used", wrong)

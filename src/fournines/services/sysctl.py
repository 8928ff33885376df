"""Kernel settings of a host: a file that the boot applies, and a task that applies it now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fournines.services.render import HEADER, Sections, overlay
from fournines.services.resource import File, Resource, Task


def sysctl(name: str, ours: Mapping[str, Any], operators: Sections) -> tuple[Resource, ...]:
    """`/etc/sysctl.d/NAME`; the task compares with the running kernel, not with the file."""
    settings = {k: " ".join(str(v).split()) for k, v in overlay({"": ours}, operators)[""].items() if v is not None}
    path = f"/etc/sysctl.d/{name}"
    content = HEADER + "".join(f"{k} = {v}\n" for k, v in settings.items())
    return (
        File(path, content),
        Task(
            name=f"sysctl {name}",
            check=f"echo $(sysctl -n {' '.join(settings)})",
            want=" ".join(settings.values()),
            script=f"sysctl -q -p {path}",
        ),
    )

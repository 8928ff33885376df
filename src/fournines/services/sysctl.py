"""Kernel settings of a host: a file that the boot applies, and a task that applies it now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fournines.services.render import HEADER, Sections, overlay
from fournines.services.resource import File, Resource, Task


def sysctl(name: str, ours: Mapping[str, Any], operators: Sections) -> tuple[Resource, ...]:
    """`/etc/sysctl.d/NAME`; the task compares with the running kernel, not with the file. `-KEY`: where the kernel has
    it (sysctl.d(5))."""
    settings = {k: " ".join(str(v).split()) for k, v in overlay({"": ours}, operators)[""].items() if v is not None}
    path = f"/etc/sysctl.d/{name}"
    content = HEADER + "".join(f"{k} = {v}\n" for k, v in settings.items())
    return (
        File(path, content),
        Task(
            name=f"sysctl {name}",
            check=f"echo {' '.join(_running(k, v) for k, v in settings.items())}",
            want=" ".join(settings.values()),
            script=f"sysctl -q -p {path}",
        ),
    )


def _running(key: str, wanted: str) -> str:
    if key.startswith("-"):
        return f"$(cat /proc/sys/{key[1:].replace('.', '/')} 2>/dev/null || echo {wanted})"
    return f"$(sysctl -n {key})"

"""What is laid over the unit of a package, in systemd's `UNIT.d`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fournines.services import sandbox
from fournines.services.render import template
from fournines.services.resource import Directory, File, Resource


def drop_in(
    unit: str, path: str = "daemon.conf.j2", /, *, triggers: tuple[str, ...] = (), **values: Any
) -> Iterable[Resource]:
    """`templates/PATH`; the default keeps a daemon up, ahead of the APIs. Without `triggers`: from the next start."""
    text = template(path, sandbox=sandbox.packaged(unit), **values)
    yield Directory(f"/etc/systemd/system/{unit}.d")
    yield File(f"/etc/systemd/system/{unit}.d/fournines.conf", text, triggers=triggers)

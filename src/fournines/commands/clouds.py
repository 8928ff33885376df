"""The cloud that a command is about."""

from __future__ import annotations

from pathlib import Path

from fournines import lab
from fournines.cloud.model import Cloud, Region
from fournines.errors import UsageError
from fournines.services import load


def load_cloud(path: Path) -> Cloud:
    """The cloud file, its hosts reached through the lab where there is one of that name."""
    return lab.access(load(path))


def region_of(cloud: Cloud, name: str | None) -> Region:
    """The one of that name; without a name, the only one. Raises UsageError."""
    if name is None and len(cloud.regions) == 1:
        return next(iter(cloud.regions.values()))
    if name is None or name not in cloud.regions:
        raise UsageError("say which region", next=f"--region {' or '.join(cloud.regions)}")
    return cloud.regions[name]

"""A host more or less in the cloud file of `scale`, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fournines.cloud import edit
from fournines.cloud.model import Cloud
from fournines.commands.clouds import load_cloud, region_of
from fournines.commands.private import rewrite
from fournines.design import require_valid
from fournines.errors import UsageError
from fournines.operate.scale import grown


@dataclass(frozen=True)
class NewHost:
    name: str
    zone: str
    address: str
    roles: str

    @property
    def entry(self) -> str:
        """As a cloud file has it."""
        return f"{{zone: {self.zone}, address: {self.address}, roles: [{self.roles}]}}"


@dataclass(frozen=True)
class Growth:
    """cloud: with the host. before, after: the file's text. remarks: what its groups are then."""

    cloud: Cloud
    before: str
    after: str
    remarks: tuple[str, ...]

    def write(self) -> None:
        rewrite(self.cloud.source, self.after)

    def undo(self) -> None:
        rewrite(self.cloud.source, self.before)


def new_host(text: str) -> NewHost:
    """Of NAME:ZONE:ADDRESS:ROLE[,ROLE]. Raises UsageError."""
    parts = text.split(":")
    if len(parts) != 4 or not all(parts):
        raise UsageError(f"{text} is no host", next="NAME:ZONE:ADDRESS:ROLE, such as ctl4:rack1:198.18.0.14:controller")
    return NewHost(*parts)


def with_host(cloud: Cloud, new: NewHost, region: str | None) -> Growth:
    """The file is not written. Raises UsageError, CloudFileError."""
    if new.name in cloud.host_by_name:
        raise UsageError(f"{cloud.name} has {new.name} already", next=f"fournines apply {cloud.source} brings it up")
    source = cloud.source
    before = source.read_text()
    after = edit.with_host(before, region_of(cloud, region).name, new.name, new.entry, str(source))
    trial = source.with_name(f".{source.name}.with-{new.name}")
    try:
        rewrite(trial, after)
        made = replace(load_cloud(trial), source=source)
    finally:
        trial.unlink(missing_ok=True)
    require_valid(made)
    return Growth(made, before, after, tuple(grown(made, made.host_by_name[new.name])))


def without_host(cloud: Cloud, name: str) -> str:
    """The file's text without the host. Raises CloudFileError where it has no entry of its own."""
    region = cloud.host_by_name[name].region
    return edit.without_host(cloud.source.read_text(), region, name, str(cloud.source))

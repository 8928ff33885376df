"""Roles without hosts, and services that nobody carries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.roles import SHIPPED
from fournines.cloud.source import Path
from fournines.design.finding import Flaw, listed
from fournines.services import cinder_volume, glance, registry
from fournines.services.service import HaPattern


def unused_role(cloud: Cloud) -> Iterator[Flaw]:
    used = {r for h in cloud.hosts for r in h.roles}
    for role in cloud.roles:
        if role not in SHIPPED and role not in used:
            yield Flaw(
                ("roles", role),
                "warning",
                f"no host has the role {role}",
                "what it stands for runs nowhere",
                "give it to hosts, or remove it",
                key=True,
            )


def missing_service(cloud: Cloud) -> Iterator[Flaw]:
    shared = [name for name, service in registry().items() if service.pattern is not HaPattern.PER_HOST]
    needed = [name for name in shared if name in cloud.components]
    for region in cloud.regions.values():
        missing = [name for name in needed if not cloud.hosts_of(name, region.name)]
        if missing:
            yield Flaw(
                ("regions", region.name, "hosts"),
                "error",
                f"no host of region {region.name} carries {listed(missing)}",
                "regions share nothing, and the control plane does not work without",
                "give three hosts the role controller, or roles of your own that carry them",
                key=True,
            )


def images(cloud: Cloud) -> Iterator[Flaw]:
    """Where Glance keeps images, and what that takes."""
    if "glance" not in cloud.components:
        return
    path: Path = ("pattern", "images") if cloud.pattern.images else ("components",)
    chosen = glance.store(cloud)
    several = any(len(cloud.hosts_of("glance", region)) > 1 for region in cloud.regions)
    if chosen == "file" and several:
        yield Flaw(
            path,
            "error",
            "each of several Glance hosts keeps images in its own files",
            "an image can be read only through the host that it was uploaded to",
            "swift among `components:`, or pattern: {images: ceph} or {images: nfs}",
        )
    if chosen == "swift" and "swift" not in cloud.components:
        yield Flaw(path, "error", "images are in Swift, which the components do not have", "", "add swift to them")
    if chosen == "nfs" and not cloud.options("glance", "images.mount").get("Mount", {}).get("What"):
        yield Flaw(
            path,
            "error",
            "images are on NFS, and the file does not say where",
            "there is nothing to mount",
            "services: {glance: {options: {images.mount: {Mount: {What: SERVER:/EXPORT}}}}}",
        )
    if chosen == "ceph" and not cloud.options("glance", "ceph.conf").get("global", {}).get("mon_host"):
        yield Flaw(
            path,
            "error",
            "images are in Ceph, and the file does not say where its monitors are",
            "there is nothing to connect to",
            "services: {glance: {options: {ceph.conf: {global: {fsid: ID, mon_host: ADDRESSES}}}}}",
        )


def volumes(cloud: Cloud) -> Iterator[Flaw]:
    """Back ends that Cinder would not serve."""
    if "cinder_volume" not in cloud.components:
        return
    options = cloud.options("cinder_volume", cinder_volume.FILE)
    path: Path = ("services", "cinder_volume", "options", cinder_volume.FILE)
    enabled: Path = (*path, "DEFAULT", "enabled_backends")
    names = cinder_volume.backends(cloud)
    if not names:
        change = "enabled_backends: [NAME], and a section NAME with its volume_driver"
        yield Flaw(enabled, "error", "no back end is enabled", "cinder-volume ends as soon as it starts", change)
    for name in names:
        why = "Cinder would take it for LVM, on whichever host serves it"
        if not re.fullmatch(r"[\w.-]+", name):
            why = "a volume's owner is written HOST@BACKEND#POOL"
            yield Flaw(enabled, "error", f"{name!r} is no name of a back end", why, "letters, digits, _ . and -")
        elif not cinder_volume.driver(cloud, name):
            change = f"{name}: {{volume_driver: cinder.volume.drivers.…}}"
            if name in options:
                yield Flaw((*path, name), "error", f"back end {name} has no volume_driver", why, change, key=True)
            else:
                yield Flaw(enabled, "error", f"back end {name} has no section", why, change)


def local_volumes(cloud: Cloud) -> Iterator[Flaw]:
    if "cinder_volume" not in cloud.components:
        return
    for name in cinder_volume.kinds(cloud).get("local", ()):
        yield Flaw(
            ("services", "cinder_volume", "options", cinder_volume.FILE, name),
            "warning",
            f"volumes of back end {name} are on the disks of the storage host that made them",
            "they are not redundant: while that host is down, so are they, and a lost disk loses them",
            "a driver whose storage all hosts reach, or accept it",
            key=True,
        )

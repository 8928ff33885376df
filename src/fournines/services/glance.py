"""Glance under uWSGI on every controller, all of them serving behind HAProxy.

Stateless but for the images, which all nodes must see: in Swift (three replicas), Ceph, on NFS, or, on a host that is
alone, in its own files. With files of their own, nodes would answer for one another's images with nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.cloud.source import Path
from fournines.services import endpoints, openstack, quoting, tls, units
from fournines.services.capabilities import (
    UWSGI,
    Account,
    CatalogueEntry,
    Frontend,
    Function,
    Movable,
    Port,
    Registration,
    Single,
)
from fournines.services.options import operators
from fournines.services.render import Sections, ini, program
from fournines.services.resource import Directory, File, Package, Resource, Task, Unit
from fournines.services.safeguard import Safeguard, Setting, both, having, several, when, words_of
from fournines.services.schema import schema
from fournines.services.service import Check, HaPattern, Rolling, Service

CONFIG = "/etc/glance/glance-api.conf"
SWIFT_ACCOUNT = "/etc/glance/glance-swift.conf"
SWIFT_REFERENCE = "internal"
CONTAINER = "glance"
MAKE_CONTAINER = "/usr/lib/fournines/glance-container"
WANTED_CONTAINER = "/etc/fournines/glance-container.json"
MADE = "/var/lib/fournines/glance-container"  # in a directory that root alone writes to
IMAGES = "/var/lib/glance/images"
MOUNT = "var-lib-glance-images.mount"
CEPH = "/etc/ceph/ceph.conf"
KEYRING = "/etc/ceph/ceph.client.glance.keyring"
API = units.Wsgi(
    unit="glance-api.service",
    service="glance",
    description="OpenStack Glance API",
    user="glance",
    port=9292,
    application={"wsgi-file": "/usr/bin/glance-wsgi-api", "pyargv": f"--config-file {CONFIG}"},
    threads=8,  # an upload holds one for as long as it takes
    environment={"REQUESTS_CA_BUNDLE": tls.TRUSTED},  # for what it sends to another host's
    config=CONFIG,
    asked="/v2/images?limit=1",
)


def _on_one_host(setting: Setting) -> bool:
    """Files of the host: `NAME:file` among the stores, or a folder that is not the mount of all."""
    shared = setting.cloud.pattern.images == "nfs"
    kinds = [word.partition(":")[2] or word for word in words_of(setting.value)]
    return any((k == "file" and not shared) or (k.startswith("/") and not k.startswith(IMAGES)) for k in kinds)


def _other_store(setting: Setting) -> bool:
    """A store that is not among those that are enabled, or that is files of the host."""
    enabled = setting.cloud.options(setting.service, setting.file).get("DEFAULT", {}).get("enabled_backends")
    if enabled is None:
        return str(setting.value) != store(setting.cloud)
    return _on_one_host(replace(setting, value=enabled)) and f"{setting.value}:file" in words_of(enabled)


class Glance(Service):
    name: ClassVar[str] = "glance"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("keystone",)
    after: ClassVar[tuple[str, ...]] = ("swift",)
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (API.unit,)
    databases: ClassVar[tuple[str, ...]] = ("glance",)
    ports: ClassVar[tuple[Port, ...]] = (
        Port(API.port, "tcp", "its own members", "an import that another node has begun"),
    )
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("glance-api.conf"),
        *openstack.each_host("glance-api.conf", "DEFAULT", "worker_self_reference_url", "bind_host"),
        *(
            Safeguard(
                "glance-api.conf",
                section,
                option,
                undoes,
                "each of several hosts keeps images in its own files: an "
                "image can be read only through the host that it was uploaded to",
                "pattern.images",
                fatal=True,
            )
            for section, option, undoes in (
                ("DEFAULT", "enabled_backends", both(several, _on_one_host)),
                ("glance_store", "default_backend", both(several, _other_store)),
                ("glance_store", "default_store", both(several, when("file", "filesystem"))),
                ("glance_store", "stores", both(several, having("file", "glance.store.filesystem"))),
                ("[!o]*", "filesystem_store_datadir*", both(several, _on_one_host)),
            )
        ),
    )
    functions: ClassVar[tuple[Function, ...]] = (
        Function("list_images", "lists images"),
        Function("upload_image", "uploads an image", also=("swift",), writes=("swift_storage",)),
        Function("download_image", "downloads an image", also=("swift",)),
    )
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "glance-api.conf": ("glance.api", "glance.multi_store", "glance.store"),
        "uwsgi.ini": UWSGI,
    }

    def sections(self, cloud: Cloud, file: str) -> Collection[str] | None:
        """Files of stores that this cloud does not use are not written."""
        of = {"glance-swift.conf": "swift", "images.mount": "nfs", "ceph.conf": "ceph"}
        if file in of and of[file] != store(cloud):
            return ()
        return (SWIFT_REFERENCE,) if file == "glance-swift.conf" else None

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        return units.movable(API)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region = cloud.region_of(host)
        yield Package("glance-api")
        yield from _store(cloud, region)
        sections = openstack.merged(
            openstack.common(),
            openstack.database(cloud, region, "glance"),
            openstack.authtoken(cloud, host, "glance"),
            openstack.notifications(cloud, region, "glance"),
            _config(cloud, host),
        )
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="glance", units=self.units)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from schema(
                "glance",
                config=CONFIG,
                versions="glance/db/sqlalchemy/alembic_migrations/versions",
                user="glance",
                sync="glance-manage db_sync",
            )
            if store(cloud) == "swift":
                yield from _container(host)
        yield from units.wsgi(cloud, host, API)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        if store(cloud) == "ceph":
            why = f"echo 'put the keyring of client.glance at {KEYRING}'; exit 1"
            yield Check("Ceph's keyring is there", host.name, f"test -s {KEYRING} || {{ {why}; }}", within=10)
        yield from units.answers(cloud, host, API)

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        return (replace(units.frontend(cloud, API), body=0),)  # images, of any size

    def singles(self, cloud: Cloud, region: Region) -> tuple[Single, ...]:
        path: Path = ("pattern", "images") if cloud.pattern.images else ("components",)
        if store(cloud) == "nfs":
            server = str(cloud.options("glance", "images.mount").get("Mount", {}).get("What", "?"))
            what, loss = f"images are on one NFS server, {server}", "no image can be read or written without it"
            return (Single(what, loss, "images in Swift or Ceph, or a server that is redundant itself", path),)
        if store(cloud) == "file":
            host = cloud.hosts_of(self.name, region.name)[0].name
            what = f"images are files on {host}"
            return (Single(what, "they are lost with its disk", "images in Swift or Ceph", path),)
        return ()

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        account = Account("glance", roles=("service", "reader", "swiftoperator"))
        return Registration((CatalogueEntry("image", "glance", API.port),), (account,))


def store(cloud: Cloud) -> str:
    """Where images are: `swift`, `file`, `nfs` or `ceph`."""
    return cloud.pattern.images or ("swift" if "swift" in cloud.components else "file")


def _config(cloud: Cloud, host: Host) -> Sections:
    chosen = store(cloud)
    kind = {"swift": "swift", "ceph": "rbd"}.get(chosen, "file")
    options: dict[str, dict[str, Any]] = {
        "swift": {
            "swift_store_config_file": SWIFT_ACCOUNT,
            "default_swift_reference": SWIFT_REFERENCE,
            "swift_store_create_container_on_put": True,
            "swift_store_container": CONTAINER,
            "swift_store_endpoint_type": "internalURL",
            "swift_store_region": host.region,
            "swift_store_cacert": tls.CA if tls.apis(cloud) else None,
            # A part that was interrupted is sent again from the disk, a download goes on where it broke off.
            "swift_buffer_on_upload": True,
            "swift_upload_buffer_dir": "/var/lib/glance/upload",
            "swift_store_retry_get_count": 3,
        },
        "rbd": {"rbd_store_pool": "images", "rbd_store_user": "glance", "rbd_store_ceph_conf": CEPH},
        "file": {"filesystem_store_datadir": IMAGES},
    }
    return {
        "DEFAULT": {
            "enabled_backends": f"{chosen}:{kind}",
            # Images that are being imported lie on one host: the others send requests for them there.
            "worker_self_reference_url": endpoints.backend(cloud, host, API.port),
        },
        "glance_store": {"default_backend": chosen},
        chosen: options[kind],
        "os_glance_staging_store": {"filesystem_store_datadir": "/var/lib/glance/staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": "/var/lib/glance/tasks"},
        "paste_deploy": {"flavor": "keystone"},
    }


def _container(host: Host) -> Iterable[Resource]:
    """For the first host. Left to the first image, it may be made while a host is down; some of Swift's proxies then go
    on denying it for seconds, and that image was seen to fail with 500."""
    wanted = {"account": SWIFT_ACCOUNT, "reference": SWIFT_REFERENCE, "container": CONTAINER, "region": host.region}
    yield File(MAKE_CONTAINER, program("glance_container.py"), mode=0o755)
    yield File(WANTED_CONTAINER, json.dumps(wanted, indent=2) + "\n")
    yield Task(
        "glance container",
        check=f"cat {MADE} 2>/dev/null || echo missing",
        script=f"runuser -u glance -- {MAKE_CONTAINER} && echo ok > {MADE}",
    )


def _store(cloud: Cloud, region: Region) -> Iterable[Resource]:
    restart = (f"restart:{API.unit}",)
    for name in ("staging", "tasks", "upload"):
        yield Directory(f"/var/lib/glance/{name}", mode=0o750, owner="glance", group="glance")
    match store(cloud):
        case "swift":
            yield Package("python3-swiftclient")
            login = openstack.keystone_login(cloud, "glance")
            account = {
                "user": f"service:{login.name}",
                "key": login.password,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
                "auth_version": 3,
                "auth_address": endpoints.keystone_internal(cloud, region),
            }
            yield File(
                SWIFT_ACCOUNT,
                ini(
                    {SWIFT_REFERENCE: account},
                    operators(cloud, "glance", "glance-swift.conf"),
                    encode=quoting.glance_reference,
                ),
                mode=0o640,
                group="glance",
                secret=True,
                triggers=restart,
            )
        case "ceph":
            yield Package("ceph-common")
            yield Package("python3-rbd")
            yield Directory("/etc/ceph")
            yield File(CEPH, ini({"global": {}}, operators(cloud, "glance", "ceph.conf")), triggers=restart)
        case "nfs":
            yield Package("nfs-common")
            yield Directory(IMAGES, mode=0o750, owner="glance", group="glance")
            mount = {
                "Unit": {"Description": "Images of OpenStack Glance", "Before": API.unit},
                "Mount": {"Where": IMAGES, "Type": "nfs", "Options": "vers=4.2,hard,timeo=50,retrans=3,_netdev"},
                "Install": {"WantedBy": "remote-fs.target", "RequiredBy": API.unit},
            }
            yield File(f"/etc/systemd/system/{MOUNT}", ini(mount, operators(cloud, "glance", "images.mount")))
            yield Unit(MOUNT)
        case _:
            yield Directory(IMAGES, mode=0o750, owner="glance", group="glance")

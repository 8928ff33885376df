"""The server itself: its certificate, its tokens, and uvicorn."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from fournines.cloud.model import Cloud
from fournines.commands.private import write_private
from fournines.engine import local_lock
from fournines.errors import FourninesError
from fournines.services import endpoints, tls
from fournines.web.access import Access, break_glass_token
from fournines.web.app import application
from fournines.web.audit import FILE, Audit
from fournines.web.call import Server
from fournines.web.computed import Computed
from fournines.web.feed import Feed
from fournines.web.jobs import Jobs
from fournines.web.keystone import Keystone, Scope

CERTIFICATE = "serve.pem"


@dataclass(frozen=True)
class Listen:
    """names: further ones that clients call this machine by, beside the address and its host name."""

    address: str
    port: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """What is about to be served. `address`: for a browser."""

    server: uvicorn.Server
    address: str
    break_glass: Path
    authority: Path
    feed: Feed


@dataclass(frozen=True)
class Places:
    """Where backups are kept, and what `watch` has; None: beside the cloud file."""

    backups: Path | None = None
    watched: Path | None = None


def prepare(path: Path, listen: Listen, scope: Scope, places: Places = Places()) -> Ready:
    """Raises FourninesError: the cloud file, the lock, a port that is taken."""
    feed = Feed(path)
    cloud = feed.cloud
    authority = _authority(cloud)
    token, token_file = break_glass_token(cloud.state_dir)
    region = next(iter(cloud.regions.values()))
    keystone = Keystone(endpoints.keystone_public(region), tls.trusted(cloud), scope)
    server = Server(
        feed=feed,
        jobs=Jobs(cloud.state_dir, path.resolve(), backups=places.backups and places.backups.resolve()),
        access=Access(keystone, token, cloud.state_dir),
        audit=Audit(cloud.state_dir / FILE),
        computed=Computed(path.resolve(), cloud.state_dir),
        watched=places.watched,
    )
    certificate = cloud.state_dir / CERTIFICATE
    names, addresses = _names(listen)
    write_private(certificate, tls.operator_pem(cloud, names, addresses))
    config = configuration(application(server), listen, certificate)
    host = names[0] if listen.address in ("0.0.0.0", "::") else listen.address  # noqa: S104
    return Ready(uvicorn.Server(config), f"https://{host}:{listen.port}/", token_file, authority, feed)


def configuration(app: ASGIApp, listen: Listen, certificate: Path) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        host=listen.address,
        port=listen.port,
        ssl_certfile=str(certificate),
        log_level="critical",  # a client that is slow to close is no error; failures are logged by the application
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=32 * 1024,
        limit_concurrency=200,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
    )
    config.load()
    assert config.ssl
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return config


def bind(listen: Listen) -> socket.socket:
    """Raises FourninesError."""
    family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((listen.address, listen.port))
    except OSError as error:
        made.close()
        raise FourninesError(
            "this address cannot be served",
            where=f"{listen.address}:{listen.port}",
            why=error.strerror or str(error),
            next="choose another: --listen ADDRESS:PORT",
        ) from error
    made.set_inheritable(False)
    return made


async def run(ready: Ready, bound: socket.socket) -> None:
    """Until SIGINT or SIGTERM."""
    with contextlib.closing(bound):
        try:
            await ready.server.serve(sockets=[bound])
        finally:
            await ready.feed.close()


def _authority(cloud: Cloud) -> Path:
    """The file with what verifies our certificate. The cloud's CA is made now where nothing was applied yet."""
    if "tls.ca.certificate" not in cloud.secrets.names():
        with local_lock(cloud.state_dir):
            tls.internal_ca(cloud)
            cloud.secrets.save()
    cloud.state_dir.mkdir(parents=True, exist_ok=True)
    path = cloud.state_dir / "ca.pem"
    fresh = path.with_name(f".ca.pem.{os.getpid()}")
    fresh.write_text(tls.trusted(cloud))
    fresh.replace(path)
    return path


def _names(listen: Listen) -> tuple[tuple[str, ...], tuple[ipaddress.IPv4Address, ...]]:
    names, addresses = [socket.gethostname(), "localhost"], [ipaddress.IPv4Address("127.0.0.1")]
    for name in (listen.address, *listen.names):
        try:
            addresses.append(ipaddress.IPv4Address(name))
        except ValueError:
            names.append(name)
    wanted = [a for a in dict.fromkeys(addresses) if not a.is_unspecified]
    return tuple(dict.fromkeys(n for n in names if ":" not in n)), tuple(wanted)

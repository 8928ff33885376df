"""Where Alertmanager sends its alerts: HTTPS with a certificate of the cloud's CA, and a token of the watch's own."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from fournines.cloud.model import Cloud
from fournines.commands.private import write_private
from fournines.errors import FourninesError
from fournines.services import tls
from fournines.watch.alerts import Alerts, Message

PATH, TOKEN, CERTIFICATE = "/alerts", "alerts.token", "alerts.pem"
LARGEST = 1 << 20


def token_of(folder: Path) -> str:
    """Made at the first start. Raises FourninesError."""
    path = folder / TOKEN
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        made = secrets.token_urlsafe(32)
        write_private(path, made + "\n")
        return made
    except (OSError, ValueError) as error:
        raise FourninesError(f"{path} cannot be read", why=str(error), next="remove it; a new one is made") from error


@asynccontextmanager
async def listening(cloud: Cloud, folder: Path, address: str, port: int, alerts: Alerts) -> AsyncGenerator[str, None]:
    """Its URL. Raises FourninesError."""
    app = application(alerts, token_of(folder))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address, port, ssl_context=_certificate(cloud, folder, address)).start()
        except OSError as error:
            raise FourninesError(
                "alerts cannot be listened for",
                where=f"{address}:{port}",
                why=error.strerror or str(error),
                next="choose another: --alerts ADDRESS:PORT",
            ) from error
        yield f"https://{address}:{port}{PATH}"
    finally:
        await runner.cleanup()


def application(alerts: Alerts, token: str) -> web.Application:
    async def hear(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return web.json_response({"error": "the token is wrong or missing"}, status=401)
        try:
            message = Message.model_validate_json(await request.read())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "body"
            return web.json_response({"error": f"{where}: {first['msg']}"}, status=422)
        alerts.hear(message, time.time())
        return web.json_response({})

    app = web.Application(client_max_size=LARGEST)
    app.router.add_post(PATH, hear)
    return app


def _certificate(cloud: Cloud, folder: Path, address: str) -> ssl.SSLContext:
    names = (socket.gethostname(), "localhost")
    own = ipaddress.IPv4Address(address)
    addresses = tuple(dict.fromkeys(a for a in (own, ipaddress.IPv4Address("127.0.0.1")) if not a.is_unspecified))
    path = folder / CERTIFICATE
    write_private(path, tls.operator_pem(cloud, names, addresses))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(os.fspath(path))
    return context

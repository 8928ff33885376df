"""Telling people: webhooks, mail, scripts."""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

import aiohttp

from fournines.cloud.handlers import Receiver
from fournines.cloud.model import Cloud
from fournines.errors import FourninesError, HostError

#: Of one receiver, seconds.
PATIENCE_S = 20.0
SCRIPT_S = 60.0
#: Port on which mail is TLS from the first byte.
_SMTPS = 465


async def tell(cloud: Cloud, receiver: Receiver, text: str, event: Mapping[str, Any]) -> None:
    """`text`: one line or a few. Raises FourninesError that names the receiver, and no secret."""
    document = {"text": text, "cloud": cloud.name, **event}
    try:
        match receiver.kind:
            case "webhook":
                await _webhook(cloud, receiver, document)
            case "mail":
                message = _mail(cloud, receiver, text, document)
                await asyncio.to_thread(_send, receiver, message, _secret(cloud, receiver, "password"))
            case "script":
                await _script(receiver, document)
    except (aiohttp.ClientError, OSError, TimeoutError, smtplib.SMTPException, ValueError) as error:
        # What these say may hold the address, and that may be a secret.
        raise HostError(
            f"{receiver.name} could not be told", where=f"receivers.{receiver.name}", why=_why(error)
        ) from None


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"SMTP {error.smtp_code}"
    return (error.strerror if isinstance(error, OSError) else "") or type(error).__name__


def _secret(cloud: Cloud, receiver: Receiver, what: str) -> str:
    """ "" where there is none: it must not be generated."""
    name = f"receivers.{receiver.name}.{what}"
    return cloud.secrets.get(name) if name in cloud.secrets.names() else ""


async def _webhook(cloud: Cloud, receiver: Receiver, document: Mapping[str, Any]) -> None:
    url, token = receiver.url or _secret(cloud, receiver, "url"), _secret(cloud, receiver, "token")
    if not url:
        next = f"add `receivers.{receiver.name}.url: URL` to the secrets file"
        raise FourninesError(f"{receiver.name} has no url", where=f"receivers.{receiver.name}", next=next)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session,
        session.post(url, json=document, headers=headers, allow_redirects=False, raise_for_status=True) as answer,
    ):
        await answer.read()


def _mail(cloud: Cloud, receiver: Receiver, text: str, document: Mapping[str, Any]) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = receiver.sender, ", ".join(receiver.to)
    message["Subject"] = f"[{cloud.name}] {text.splitlines()[0]}"[:200]
    message.set_content(f"{text}\n\n{json.dumps(document, indent=2)}\n")
    return message


def _send(receiver: Receiver, message: EmailMessage, password: str) -> None:
    """Never in the clear, when there is a password."""
    host, _, port = receiver.server.rpartition(":")
    trust = ssl.create_default_context()
    if int(port) == _SMTPS:
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, _SMTPS, timeout=PATIENCE_S, context=trust)
    else:
        server = smtplib.SMTP(host, int(port), timeout=PATIENCE_S)
    with server:
        server.ehlo()
        if int(port) != _SMTPS and (password or server.has_extn("starttls")):
            server.starttls(context=trust)
        if password:
            server.login(receiver.sender, password)
        server.send_message(message)


async def _script(receiver: Receiver, document: Mapping[str, Any]) -> None:
    assert receiver.script
    process = await asyncio.create_subprocess_exec(
        str(receiver.script),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(SCRIPT_S):
            await process.communicate(json.dumps(document).encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise HostError(
            f"{receiver.name} could not be told", where=str(receiver.script), why=f"exit status {process.returncode}"
        )

"""Users of the dashboard are users of the cloud: Keystone says who they are and what they may."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import aiohttp

from fournines.errors import FourninesError
from fournines.web.roles import Identity, Role, best

TIMEOUT = 8.0  # seconds: a password alone takes Keystone 0.3 s of CPU, more where it is busy
#: Seconds for which a token that Keystone has validated is not asked for again.
REMEMBERED = 60.0


class RefusedError(FourninesError):
    """Keystone knows nobody like that, or gives them nothing here."""


class KeystoneDownError(FourninesError):
    """Keystone does not answer: who somebody is cannot be said."""


class Identities(Protocol):
    """Both raise RefusedError and KeystoneDownError."""

    async def by_password(self, user: str, password: str, domain: str) -> Identity: ...
    async def by_token(self, token: str) -> Identity: ...


@dataclass(frozen=True)
class Scope:
    """Roles count in this project alone. roles: Keystone's -> ours."""

    project: str
    domain: str
    roles: Mapping[str, Role]


class Keystone:
    """`url`: of version 3, through a VIP. `authority`: PEM of who signs its certificate, "" for the system's."""

    def __init__(self, url: str, authority: str, scope: Scope, now: Callable[[], float] = time.monotonic) -> None:
        self._url = url.rstrip("/")
        self._scope = scope
        self._tls = ssl.create_default_context(cadata=authority or None)
        self._now = now
        self._known: dict[bytes, tuple[float, Identity]] = {}

    async def by_password(self, user: str, password: str, domain: str) -> Identity:
        identity = {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": {"name": domain}, "password": password}},
        }
        project = {"name": self._scope.project, "domain": {"name": self._scope.domain}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        return self._identity(await self._ask("POST", {}, body))

    async def by_token(self, token: str) -> Identity:
        key = sha256(token.encode()).digest()
        until, known = self._known.get(key, (0.0, None))
        if known and self._now() < until:
            return known
        found = self._identity(await self._ask("GET", {"X-Auth-Token": token, "X-Subject-Token": token}, None))
        self._known = {k: v for k, v in self._known.items() if v[0] > self._now()}
        self._known[key] = self._now() + REMEMBERED, found
        return found

    async def _ask(self, method: str, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
        limit = aiohttp.ClientTimeout(total=TIMEOUT)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.request(
                    method, f"{self._url}/auth/tokens", json=body, headers=headers, ssl=self._tls, allow_redirects=False
                ) as answer,
            ):
                if answer.status in (400, 401, 403, 404):
                    raise RefusedError(
                        "Keystone refuses this",
                        why="wrong user, password, domain or token, or no role in the project",
                        next=f"see that the user has a role in project {self._scope.project}",
                    )
                if answer.status >= 300:
                    raise _down(f"it answers {answer.status}")
                said = await answer.json()
                return dict(said["token"])
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise _down(str(error) or type(error).__name__) from error

    def _identity(self, token: Mapping[str, Any]) -> Identity:
        project: Mapping[str, Any] = token.get("project") or {}
        domain: Mapping[str, Any] = project.get("domain") or {}
        if (project.get("name"), domain.get("name")) != (self._scope.project, self._scope.domain):
            raise RefusedError(
                f"this token is not for project {self._scope.project}",
                next=f"ask Keystone for one that is scoped to {self._scope.project}",
            )
        names = [str(role.get("name")) for role in token.get("roles", [])]
        role = best(names, self._scope.roles)
        if role is None:
            raise RefusedError(
                "none of this user's roles may do anything here",
                why=f"roles in {self._scope.project}: {', '.join(names) or 'none'}",
                next=f"openstack role add --project {self._scope.project} --user USER {next(iter(self._scope.roles))}",
            )
        user: Mapping[str, Any] = token.get("user") or {}
        return Identity(str(user.get("name", "?")), role, "keystone")


def _down(why: str) -> KeystoneDownError:
    return KeystoneDownError(
        "Keystone does not answer",
        why=why,
        next="sign in with the break-glass token; its file is named where serve runs",
    )

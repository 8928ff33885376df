"""Keystone as a client on the outside sees it, through the public VIP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fournines.prove.load.attempt import Attempt
from fournines.prove.load.http import Client, CutOffError
from fournines.prove.load.spec import Identity


class KeystoneProbes:
    """Each method is one probe: it returns when the answer is as it must be, and raises otherwise."""

    what = "Keystone on the public VIP"

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._client = Client(identity.cafile, identity.addresses)
        self._token = ""

    async def start(self) -> None:
        """Takes the token that every probe but `authenticate_password` uses."""
        await self.open()
        await self.sign_in()

    async def open(self) -> None:
        await self._client.open()

    async def sign_in(self) -> None:
        """A new token in place of the one that would expire."""
        self._token, _ = await issue(self._client, Attempt("fresh", 0.0), self._identity, password(self._identity))

    async def close(self) -> None:
        await self._client.close()

    async def authenticate_password(self, attempt: Attempt) -> None:
        await issue(self._client, attempt, self._identity, password(self._identity))

    async def authenticate(self, attempt: Attempt) -> None:
        by_token = {"methods": ["token"], "token": {"id": self._token}}
        await issue(self._client, attempt, self._identity, by_token)

    async def validate(self, attempt: Attempt) -> None:
        body = await self._request(attempt, "GET", "/auth/tokens", 200, headers={"X-Subject-Token": self._token})
        if body["token"]["user"]["name"] != self._identity.user:
            raise CutOffError("the token is somebody else's")

    async def list_projects(self, attempt: Attempt) -> None:
        body = await self._request(attempt, "GET", "/projects?domain_id=default", 200)
        if not any(p["name"] == self._identity.project for p in body["projects"]):
            raise CutOffError(f"the list lacks {self._identity.project}")

    async def create_project(self, attempt: Attempt) -> None:
        project = {"name": attempt.value, "domain_id": self._identity.domain}
        await self._request(attempt, "POST", "/projects", 201, json={"project": project})

    async def _request(
        self,
        attempt: Attempt,
        method: str,
        path: str,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        **kw: Any,
    ) -> Any:
        headers = {"X-Auth-Token": self._token, **(headers or {})}
        url = self._identity.url + path
        async with self._client.answer(attempt, method, url, status, headers=headers, **kw) as response:
            return await response.json()


def password(who: Identity) -> dict[str, Any]:
    """`who`'s, as Keystone's `identity` object."""
    user = {"name": who.user, "domain": {"name": who.user_domain}, "password": who.password}
    return {"methods": ["password"], "password": {"user": user}}


async def issue(
    client: Client, attempt: Attempt, who: Identity, identity: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """A token of `who.project`, and what Keystone says of it, the catalogue included."""
    scope = {"project": {"name": who.project, "domain": {"name": who.user_domain}}}
    body = {"auth": {"identity": identity, "scope": scope}}
    async with client.answer(attempt, "POST", f"{who.url}/auth/tokens", 201, json=body) as response:
        return response.headers["X-Subject-Token"], (await response.json())["token"]

"""The two administrative interfaces that a campaign prepares itself through: Keystone's and RabbitMQ's."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp

from fournines.cloud.model import Cloud, Region
from fournines.errors import ProveError
from fournines.services import broker, endpoints


class Keystone:
    """As the cloud's administrator in `project`, through the public VIP. Raises aiohttp.ClientError, TimeoutError,
    ProveError."""

    def __init__(
        self, cloud: Cloud, region: Region, session: aiohttp.ClientSession, cafile: str, project: str = "admin"
    ) -> None:
        self._project = project
        self._password = cloud.secrets.get("keystone.admin")
        self._url = endpoints.keystone_public(region)
        self._session = session
        self.cafile = cafile
        self._tls = ssl.create_default_context(cafile=cafile or None)
        self.token = ""
        self._logging_in = asyncio.Lock()

    async def log_in(self) -> None:
        user = {"name": "admin", "domain": {"id": "default"}, "password": self._password}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": self._project, "domain": {"id": "default"}}}
        url = f"{self._url}/auth/tokens"
        async with self._session.post(
            url, json={"auth": {"identity": identity, "scope": scope}}, ssl=self._tls
        ) as answer:
            await _must_be(answer, 201)
            self.token = answer.headers["X-Subject-Token"]

    async def logged_in(self) -> str:
        """The token, taken at the first call."""
        async with self._logging_in:
            if not self.token:
                await self.log_in()
        return self.token

    async def create_domain(self, name: str) -> str:
        """Its id."""
        body = await self._call("POST", "/domains", 201, {"domain": {"name": name, "description": "a running proof"}})
        return body["domain"]["id"]

    async def remove_domains(self, prefix: str) -> None:
        """Every domain whose name begins with `prefix`, and the projects in it."""
        for domain in (await self._call("GET", "/domains", 200))["domains"]:
            if domain["name"].startswith(prefix):
                await self._call("PATCH", f"/domains/{domain['id']}", 200, {"domain": {"enabled": False}})
                await self._call("DELETE", f"/domains/{domain['id']}", 204)

    async def _call(self, method: str, path: str, status: int, body: dict[str, Any] | None = None) -> Any:
        headers = {"X-Auth-Token": self.token}
        async with self._session.request(method, self._url + path, json=body, headers=headers, ssl=self._tls) as answer:
            await _must_be(answer, status)
            return await answer.json() if status != 204 else None


#: The names of queues that `fournines watch` uses begin so.
WATCHED = "watch-"


class Management:
    """The queues of one vhost, through the first management API that answers. Raises ProveError."""

    def __init__(self, cloud: Cloud, region: Region, session: aiohttp.ClientSession, vhost: str, cafile: str) -> None:
        self._session = session
        self._auth = aiohttp.encode_basic_auth(broker.ADMIN, cloud.secrets.get("rabbitmq.admin"))
        at = broker.addresses(cloud, region)
        self._members = {host.name for host in cloud.hosts_of("rabbitmq", region.name)}
        self._urls = [f"{broker.management_url(cloud, address)}/queues/{vhost}" for address in at]
        self._tls = ssl.create_default_context(cafile=cafile or None)

    async def remove_queues(self) -> None:
        """All but those of `fournines watch`."""
        for queue in await self._call("GET", "") or ():
            if not queue["name"].startswith(WATCHED):
                await self._call("DELETE", f"/{queue['name']}")

    async def leader(self, queue: str) -> str:
        """Name of the host that leads `queue`; "" when there is none, or one broker that moves between hosts."""
        found: dict[str, Any] = await self._call("GET", f"/{queue}") or {}
        leader = str(found.get("leader") or "").partition("@")[2]
        return leader if leader in self._members else ""

    async def _call(self, method: str, path: str) -> Any:
        refused: Exception | None = None
        for url in self._urls:
            try:
                headers = {"Authorization": self._auth}
                async with self._session.request(method, url + path, headers=headers, ssl=self._tls) as answer:
                    if answer.status in (204, 404):
                        return None
                    await _must_be(answer, 200)
                    return await answer.json()
            except (aiohttp.ClientError, TimeoutError) as error:
                refused = error
        raise ProveError("no RabbitMQ node answers its management API", where=", ".join(self._urls), why=str(refused))


async def _must_be(answer: aiohttp.ClientResponse, status: int) -> None:
    if answer.status != status:
        said = (await answer.text())[:200]
        raise ProveError(
            "the cloud refused a request of the campaign", where=str(answer.url), why=f"{answer.status} {said}"
        )

"""The other services as a client on the outside uses them: through the public VIP, by the addresses of the catalogue.

Work of several requests counts as done when the user has what he asked for: the server ACTIVE, the volume available.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

import aiohttp

from fournines.prove.load.attempt import Attempt, RefusedError
from fournines.prove.load.http import Client, CutOffError
from fournines.prove.load.identity import issue, password
from fournines.prove.load.spec import Services
from fournines.smoke.model import SIGNED_IN, TEMPLATE

#: Of waiting for a state: between two looks, so that a function's time is known to so much. Seconds.
LOOK_EVERY_S = 0.5
IMAGE_BYTES = 1 << 16
#: A refusal then is none of the whole: what was made is there.
AFTERWARDS = "it was accepted, and then: {}"


class ServiceProbes:
    """Each method is one probe: it returns when the answer is as it must be, and raises otherwise.

    `timeout`: seconds after which a look at a state is given up and taken again; what ends a probe is its caller's.
    """

    what = "the services on the public VIP"

    def __init__(self, services: Services, timeout: float) -> None:
        self._services = services
        self._timeout = timeout
        self._client = Client(services.identity.cafile, services.identity.addresses)
        self._token = ""
        self._urls: dict[str, str] = {}  # type -> public endpoint
        self._removals: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self.open()
        await self.sign_in()

    async def open(self) -> None:
        await self._client.open()

    async def sign_in(self) -> None:
        """A new token, and the catalogue's endpoints as they are now."""
        who = self._services.identity
        self._token, told = await issue(self._client, Attempt("fresh", 0.0), who, password(who))
        self._urls = {
            entry["type"]: endpoint["url"].rstrip("/")
            for entry in told["catalog"]
            for endpoint in entry["endpoints"]
            if endpoint["interface"] == "public" and endpoint["region"] == self._services.region
        }

    async def close(self) -> None:
        await asyncio.gather(*self._removals)
        await self._client.close()

    async def list_servers(self, attempt: Attempt) -> None:
        body = await self._ask(attempt, "GET", "compute", "/servers", 200)
        if "servers" not in body:
            raise CutOffError("the answer is no list of servers")

    async def dashboard(self, attempt: Attempt) -> None:
        headers = {"Cookie": self._services.cookie}
        async with self._client.answer(attempt, "GET", self._services.page, 200, headers=headers) as response:
            if SIGNED_IN not in await response.text():
                raise CutOffError("the page is not that of somebody who has signed in")

    async def create_network(self, attempt: Attempt) -> None:
        await self._ask(attempt, "POST", "network", "/v2.0/networks", 201, json={"network": {"name": attempt.value}})

    async def upload_image(self, attempt: Attempt) -> None:
        content = os.urandom(IMAGE_BYTES)
        wanted = {"name": attempt.value, "disk_format": "raw", "container_format": "bare"}
        made = await self._ask(attempt, "POST", "image", "/v2/images", 201, json=wanted)
        url, headers = f"{self._urls['image']}/v2/images/{made['id']}/file", self._headers()
        octets = headers | {"Content-Type": "application/octet-stream"}
        try:
            async with self._client.answer(attempt, "PUT", url, 204, headers=octets, data=content):
                pass
            async with self._client.answer(attempt, "GET", url, 200, headers=headers) as response:
                if await response.read() != content:
                    raise CutOffError("what came back is not what was uploaded")
        except RefusedError as error:
            raise CutOffError(AFTERWARDS.format(error)) from error

    async def create_volume(self, attempt: Attempt) -> None:
        wanted = {"volume": {"name": attempt.value, "size": 1}}
        made = await self._ask(attempt, "POST", "block-storage", "/volumes", 202, json=wanted)
        path = f"/volumes/{made['volume']['id']}"
        await self._until(attempt, "block-storage", path, lambda body: body["volume"]["status"], "available")

    async def create_stack(self, attempt: Attempt) -> None:
        wanted = {"stack_name": attempt.value, "template": TEMPLATE, "timeout_mins": 5}
        made = await self._ask(attempt, "POST", "orchestration", "/stacks", 201, json=wanted)
        path = f"/stacks/{attempt.value}/{made['stack']['id']}"
        await self._until(attempt, "orchestration", path, lambda body: body["stack"]["stack_status"], "CREATE_COMPLETE")

    async def boot_server(self, attempt: Attempt) -> None:
        """The server is deleted afterwards, in time of its own: it is a user's success when it is ACTIVE."""
        where = self._services
        networks = [{"uuid": where.network}]
        wanted = {"name": attempt.value, "flavorRef": where.flavor, "imageRef": where.image, "networks": networks}
        made = await self._ask(attempt, "POST", "compute", "/servers", 202, json={"server": wanted})
        path = f"/servers/{made['server']['id']}"
        try:
            await self._until(attempt, "compute", path, lambda body: body["server"]["status"], "ACTIVE")
        finally:
            task = asyncio.create_task(self._remove("compute", path))
            self._removals.add(task)
            task.add_done_callback(self._removals.discard)

    async def _until(
        self, attempt: Attempt, service: str, path: str, state_of: Callable[[Any], str], wanted: str
    ) -> None:
        """Returns when the state is `wanted`. A look that fails is taken again: it says nothing of the state."""
        while True:
            try:
                async with asyncio.timeout(self._timeout):
                    state = state_of(await self._ask(attempt, "GET", service, path, 200))
            except RefusedError as error:
                raise CutOffError(AFTERWARDS.format(error)) from error
            except (aiohttp.ClientError, CutOffError, OSError, TimeoutError):
                state = ""
            if state == wanted:
                return
            if "ERROR" in state.upper() or "FAILED" in state:
                raise CutOffError(f"became {state}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _remove(self, service: str, path: str) -> None:
        """What is still there because this failed, is removed with all else of the campaign's project."""
        with contextlib.suppress(aiohttp.ClientError, CutOffError, RefusedError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._ask(Attempt("fresh", 0.0), "DELETE", service, path, 204)

    async def _ask(self, attempt: Attempt, method: str, service: str, path: str, status: int, **kw: Any) -> Any:
        """The answer's JSON, None where it has no body."""
        url = self._urls[service] + path
        async with self._client.answer(attempt, method, url, status, headers=self._headers(), **kw) as response:
            return await response.json() if status != 204 else None

    def _headers(self) -> dict[str, str]:
        return {"X-Auth-Token": self._token}

"""The public VIP by its name, for aiohttp: the name is verified, its address comes from the cloud file."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult


class Pinned(AbstractResolver):
    """`addresses`: name -> IPv4 address; other hosts are found as usual."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)
        self._others = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self._addresses.get(host)
        if address is None:
            return await self._others.resolve(host, port, family)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=flags)]

    async def close(self) -> None:
        await self._others.close()


def connector(addresses: Mapping[str, str], **options: Any) -> aiohttp.TCPConnector:
    """To be made within a running loop."""
    return aiohttp.TCPConnector(resolver=Pinned(addresses), **options)

"""Servers that a fault asks for, in the campaign's own project."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any, TypeVar

from fournines.errors import FourninesError, ProveError
from fournines.prove.project import PREFIX, Project
from fournines.smoke.sweep import sweep

#: Begins the names of those servers.
STORM = f"{PREFIX}-storm"
T = TypeVar("T")


class ProjectServers:
    """`faults.powers.Servers`, of a project that has what servers are booted from."""

    def __init__(self, project: Project) -> None:
        self._project = project

    async def request(self, count: int) -> None:
        await self._calling(lambda: self._request(count))

    async def states(self) -> Counter[str]:
        return await self._calling(self._states)

    async def remove(self) -> None:
        left = await self._calling(lambda: sweep(replace(self._project.site, prefix=STORM)))
        if left:
            raise ProveError("servers of a fault cannot be removed", where=STORM, why="; ".join(left))

    def _request(self, count: int) -> None:
        project = self._project
        project.site.connection.compute.create_server(
            name=STORM,
            flavor_id=project.flavor,
            image_id=project.image,
            networks=[{"uuid": project.network}],
            min_count=count,
            max_count=count,
        )

    def _states(self) -> Counter[str]:
        found = self._project.site.connection.compute.servers()
        return Counter(str(s.status) for s in found if str(s.name or "").startswith(STORM))

    async def _calling(self, work: Any) -> Any:
        try:
            return await asyncio.to_thread(work)
        except FourninesError:
            raise
        except Exception as error:  # whatever the service, or the library, makes of its failure
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ProveError("the cloud's compute service does not do what a fault asks", why=why) from error

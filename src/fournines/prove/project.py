"""The campaign's own project, in which servers, networks, volumes and more are made: by openstacksdk, as in `smoke`.

It always bears the same name, so that what a killed run left in it is found, by name, and removed by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fournines.cloud.model import Cloud, Region
from fournines.errors import FourninesError, ProveError
from fournines.prove.load.spec import Identity, Services
from fournines.prove.probes import PROBES
from fournines.smoke import connect, steps
from fournines.smoke.dashboard import address, signed_in
from fournines.smoke.model import Site
from fournines.smoke.sweep import sweep

#: The project's name, in the default domain, and what every name in it begins with.
PREFIX = "fournines-prove"
#: Shows what the catalogue of the session holds, and asks no other service: what fails is the dashboard.
PAGE = "/project/api_access/"

T = TypeVar("T")


@dataclass(frozen=True)
class Project:
    """`flavor`, `image`, `network`: ids of what servers are booted from, "" where none is."""

    id: str
    site: Site
    functions: tuple[str, ...]
    flavor: str = ""
    image: str = ""
    network: str = ""

    async def services(self, identity: Identity) -> Services:
        """What the load is told. Signs in to the dashboard. Raises ProveError."""
        return await _in_thread(self._services, replace(identity, project=PREFIX))

    async def sweep(self, prefix: str) -> tuple[str, ...]:
        """Removes all whose name begins with `prefix`; what is still there, and why. Raises ProveError."""
        return await _in_thread(sweep, replace(self.site, prefix=prefix))

    def _services(self, identity: Identity) -> Services:
        region = self.site.region
        page = cookie = ""
        if "dashboard" in self.functions:
            page = address(region, PAGE)
            with signed_in(region, identity.password, self.site.ca) as browser:
                cookie = "; ".join(f"{c.name}={c.value}" for c in browser.cookies)
        return Services(identity, region.name, self.flavor, self.image, self.network, page, cookie)


@asynccontextmanager
async def project(cloud: Cloud, region: Region, functions: Iterable[str]) -> AsyncGenerator[Project | None, None]:
    """Makes it, and removes it however the campaign ends; None where no function of `functions` needs it.

    Raises ProveError, SmokeError when the cloud does not let it.
    """
    needing = tuple(f for f in functions if PROBES[f].in_project)
    if not needing:
        yield None
        return
    admin = await _in_thread(connect.site, cloud, region)
    made = await _in_thread(_make, admin, needing)
    try:
        yield made
    finally:
        with contextlib.suppress(FourninesError):  # what a broken cloud keeps, the next run removes
            await _in_thread(_remove, admin, made)


def _make(admin: Site, functions: tuple[str, ...]) -> Project:
    identity = admin.connection.identity
    own = identity.find_project(PREFIX, domain_id="default") or identity.create_project(
        name=PREFIX, domain_id="default", description="a running proof"
    )
    identity.assign_project_role_to_user(own, admin.connection.current_user_id, identity.find_role("admin"))
    site = connect.site(admin.cloud, admin.region, project=PREFIX, prefix=PREFIX)
    left = sweep(site)
    if left:
        raise ProveError("what an earlier campaign left cannot be removed", where=PREFIX, why="; ".join(left))
    _lift_quotas(admin, own.id)
    if "boot_server" not in functions:
        return Project(own.id, site, functions)
    steps.image(site)
    steps.network(site)
    return Project(own.id, site, functions, steps.flavor(site), site.made["image"].id, site.made["network"].id)


def _lift_quotas(admin: Site, project: str) -> None:
    """A fault's probes may make more than a project is usually allowed."""
    c = admin.connection
    if admin.carries("nova"):
        c.compute.update_quota_set(project, instances=-1, cores=-1, ram=-1)
    if admin.carries("cinder"):
        c.block_storage.update_quota_set(project, volumes=-1, gigabytes=-1)
    if admin.carries("neutron"):
        c.network.update_quota(project, networks=-1, ports=-1)


def _remove(admin: Site, made: Project) -> None:
    """With what the services keep of a project beside what was made in it. Not while anything is left in it."""
    if sweep(made.site):
        return
    c = admin.connection
    if admin.carries("nova"):
        c.compute.revert_quota_set(made.id)
    if admin.carries("cinder"):
        c.block_storage.revert_quota_set(made.id)
    if admin.carries("neutron"):
        c.network.delete_quota(made.id)
        for group in c.network.security_groups(project_id=made.id):
            c.network.delete_security_group(group)
    c.identity.delete_project(made.id)


async def _in_thread(work: Callable[..., T], *args: Any) -> T:
    try:
        return await asyncio.to_thread(work, *args)
    except FourninesError:
        raise
    except Exception as error:  # whatever a service, or the library, makes of its failure
        raise ProveError(
            "the cloud does not let a campaign use its services",
            why=f"{type(error).__name__}: {' '.join(str(error).split())}",
            next="fournines smoke CLOUD",
        ) from error

"""Removes whatever a run has made: by its name, so also what a run that was cut left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from fournines.smoke.model import Site


def sweep(site: Site) -> tuple[str, ...]:
    """What is still there afterwards, and why. In an order in which nothing is in use when its turn comes."""
    left: list[str] = []
    for kind, find, remove in _kinds(site):
        left += _remove(site, kind, find, remove)
    return tuple(left)


def _kinds(site: Site) -> Iterable[tuple[str, Callable[[], Iterable[Any]], Callable[[Any], Any]]]:
    """(kind, what there is of it, what removes one), of the services that the cloud carries."""
    c = site.connection
    if site.carries("heat"):
        yield "stack", c.orchestration.stacks, c.orchestration.delete_stack
    if site.carries("nova"):
        yield "server", lambda: c.compute.servers(details=False), c.compute.delete_server
        yield "flavor", lambda: c.compute.flavors(details=False), c.compute.delete_flavor
    if site.carries("cinder"):
        yield "volume", lambda: c.block_storage.volumes(details=False), lambda volume: _remove_volume(c, volume)
    if site.carries("neutron"):
        yield "router", c.network.routers, lambda router: _remove_router(c, router)
        yield "port", c.network.ports, c.network.delete_port
        yield "network", c.network.networks, c.network.delete_network
    if site.carries("glance"):
        yield "image", c.image.images, c.image.delete_image
    if site.carries("gnocchi"):
        yield "metric", lambda: _metrics(site), lambda metric: _remove_metric(site, metric)


def _remove(site: Site, kind: str, find: Callable[[], Iterable[Any]], remove: Callable[[Any], Any]) -> list[str]:
    """Until none is found: what removes a server or a stack only begins to."""
    deadline = time.monotonic() + site.timeout
    asked: set[str] = set()
    why = ""
    while True:
        try:
            found = [one for one in find() if _name(one).startswith(site.prefix)]
            for one in found:
                if one["id"] not in asked:
                    remove(one)
                    asked.add(one["id"])
            if not found:
                return []
        except Exception as error:  # a conflict passes when what holds it has gone; what does not is told at the end
            why = " ".join(str(error).split())[:200]
        if time.monotonic() > deadline:
            return [f"{kind} still there: {why or 'it was to be removed'}"]
        time.sleep(1)


def _name(one: Any) -> str:
    return str(one["name"] or "")


def _remove_volume(c: Any, volume: Any) -> None:
    """Also one that its back end never came to make."""
    c.block_storage.delete_volume(volume, force=True)


def _remove_router(c: Any, router: Any) -> None:
    for port in c.network.ports(device_id=router["id"]):
        if str(port["device_owner"]).endswith(("router_interface", "ha_router_replicated_interface")):
            c.network.remove_interface_from_router(router, port_id=port["id"])
    c.network.delete_router(router)


def _gnocchi(site: Site) -> str:
    endpoint = site.connection.session.get_endpoint(
        service_type="metric", interface="public", region_name=site.region.name
    )
    return str(endpoint).rstrip("/")


def _metrics(site: Site) -> list[Any]:
    return site.connection.session.get(f"{_gnocchi(site)}/v1/metric?limit=1000").json()


def _remove_metric(site: Site, metric: Any) -> None:
    site.connection.session.delete(f"{_gnocchi(site)}/v1/metric/{metric['id']}")

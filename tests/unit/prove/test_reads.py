"""Where each kind of acknowledged write is looked for: every backend of its API, every database node."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp import web

from fournines.prove.admin import Keystone
from fournines.prove.probes import PROBES
from fournines.prove.reads import names_of_backend, readers
from fournines.prove.site import Site
from fournines.prove.written import KINDS, Listing
from samples import cases

HOSTS = ("ctl1", "ctl2", "ctl3")


def site(tmp_path: Path, functions: tuple[str, ...]) -> Site:
    cloud = cases.Case(Path("none"), {"cloud": {"components": ["cinder", "heat"]}}).cloud(tmp_path)
    grounds = SimpleNamespace(domain="d", cafile="")
    own = SimpleNamespace(id="p")
    parts: dict[str, Any] = {"grounds": grounds, "project": own, "reach": None, "functions": functions}
    return cast(Site, SimpleNamespace(cloud=cloud, region=cloud.regions["phx"], **parts))


async def test_every_backend_and_every_node_of_what_was_written_is_asked(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        found = dict(readers(site(tmp_path, ("create_volume", "write_row", "publish")), session, "x-"))
    wanted = {("volumes", f"cinder on {h}") for h in HOSTS}
    wanted |= {(kind, f"database on {h}") for kind in ("volumes", "rows", "lists") for h in HOSTS}
    assert set(found) == wanted


def test_every_function_that_is_acknowledged_is_a_kind_of_write() -> None:
    kept = {name for name, probe in PROBES.items() if probe.kind == "write"} - {"boot_server"}  # deleted once ACTIVE
    assert {kind.function for kind in KINDS.values()} == kept


async def test_one_backend_s_names_are_those_of_the_campaign_on_every_page() -> None:
    """Pages as short as the API likes; a page that is not the last may be shorter than was asked for."""
    stacks = [{"id": str(n), "stack_name": name} for n, name in enumerate(["x-1", "other", None, "x-2", "x-3"])]
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.query["tenant"] == "p"
        asked.append(request.headers["X-Auth-Token"])
        begin = int(request.query.get("marker", -1)) + 1
        return web.json_response({"stacks": stacks[begin : begin + 2]})

    app = web.Application()
    app.router.add_get("/stacks", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def token() -> str:
        return "t"

    admin = cast(Keystone, SimpleNamespace(logged_in=token, cafile=""))
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/stacks?tenant=p"
        read = names_of_backend(session, admin, url, Listing("heat", 0, "/stacks", "stacks", "stack_name"), "x-")
        assert await read() == ["x-1", "x-2", "x-3"]
    assert asked == ["t"] * 4
    await runner.cleanup()

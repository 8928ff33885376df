"""What other people and tools take from a cloud file, without its secrets: `export` and `design document`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from fournines.web.call import Call
from fournines.web.handlers import REPORT_POLICY


async def architecture(call: Call) -> Response:
    made = await call.server.computed.get("architecture")
    return HTMLResponse(made["html"], headers={"content-security-policy": REPORT_POLICY})


async def architecture_markdown(call: Call) -> Response:
    made = await call.server.computed.get("architecture")
    return PlainTextResponse(made["markdown"], media_type="text/markdown")


async def inventory(call: Call) -> Response:
    def made() -> str:
        from fournines import lab
        from fournines.commands.inventory import inventory_yaml

        return inventory_yaml(lab.access(call.server.feed.cloud))

    return _file(await asyncio.to_thread(made), "inventory.yaml", "application/yaml")


async def grafana(_call: Call) -> Response:
    from fournines.services.dashboard import grafana as made

    return _json(made(), "control-plane.json")


async def schema(_call: Call) -> Response:
    from fournines.cloud import json_schema

    return _json(json_schema(), "cloud.schema.json")


def _json(document: Any, name: str) -> Response:
    return _file(json.dumps(document, indent=2, ensure_ascii=False), name, "application/json")


def _file(text: str, name: str, media: str) -> Response:
    return Response(text, media_type=media, headers={"content-disposition": f'attachment; filename="{name}"'})

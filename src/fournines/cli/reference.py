"""The reference of the cloud file, written from what the code knows: schema, roles, timers, rules, options."""

from __future__ import annotations

import dataclasses
from typing import Any, cast, get_type_hints

from fournines.cli.markdown import markdown
from fournines.cloud import json_schema
from fournines.cloud.handlers import EVENTS, SHIPPED
from fournines.cloud.roles import shipped
from fournines.design.check import RULES
from fournines.services import catalogue
from fournines.services.options import known
from fournines.timing import NAMES, Timers, profile

#: Parts in the order in which the file has them.
_PARTS = (
    "Pattern",
    "Timing",
    "Region",
    "Vips",
    "Network",
    "Zone",
    "Host",
    "Bmc",
    "Storage",
    "Lun",
    "Ssh",
    "Service",
    "Tls",
    "Logs",
    "Design",
    "Failures",
    "Handler",
    "Receiver",
    "Lab",
)


def reference() -> str:
    """Markdown."""
    schema = json_schema()
    return markdown("reference").render(
        top=_rows(schema),
        parts=[(name, schema["$defs"][name]["description"], _rows(schema["$defs"][name])) for name in _PARTS],
        roles={role: sorted(services) for role, services in shipped(catalogue()).items()},
        options={service: sorted(known(service) or {}) for service in sorted(catalogue())},
        profiles=NAMES,
        timers=_timers(),
        rules=RULES,
        events=EVENTS,
        handlers=list(SHIPPED.values()),
    )


def _rows(part: dict[str, Any]) -> list[dict[str, str]]:
    """Key, type, default and meaning of each entry of one mapping."""
    required = part.get("required", [])
    return [
        {
            "key": key,
            "type": _type(entry),
            "default": "required" if key in required else _default(entry),
            "about": _cell(entry.get("description", "")),
        }
        for key, entry in part["properties"].items()
    ]


def _type(entry: dict[str, Any]) -> str:
    """A JSON Schema type in words."""
    kind = entry.get("type")
    inside = entry.get("additionalProperties") or next(iter(entry.get("patternProperties", {}).values()), None)
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        text = f"[{name}](#{name.lower()})"
    elif "anyOf" in entry:
        kinds = [_type(e) for e in entry["anyOf"] if e.get("type") != "null"]
        text = " or ".join(dict.fromkeys(kinds))
    elif "const" in entry:
        text = f"`{entry['const']}`"
    elif inside:
        text = f"name → {_type(inside)}"
    elif "items" in entry:
        text = f"list of {_type(entry['items'])}"
    else:
        kinds = cast(list[str], kind if isinstance(kind, list) else [kind])
        text = " or ".join(_PLAIN[k] for k in kinds)
    return text


_PLAIN = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true, false",
    "object": "mapping",
    "array": "list",
    "null": "null",
}


def _default(entry: dict[str, Any]) -> str:
    value = entry.get("default")
    return f"`{value}`" if isinstance(value, (str, int, float)) and value != "" else ""


def _timers() -> list[dict[str, Any]]:
    about = get_type_hints(Timers, include_extras=True)
    sets = [profile(name) for name in NAMES]
    return [
        {
            "name": field.name,
            "about": about[field.name].__metadata__[0],
            "values": [_shown(getattr(s, field.name)) for s in sets],
        }
        for field in dataclasses.fields(Timers)
    ]


def _shown(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value or "none"
    return f"{value:g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

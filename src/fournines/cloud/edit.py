"""A host more or less in a cloud file, or a design rule that it lives with. The text is edited, so that comments, order
and the way it is written stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from fournines.cloud.limits import limited
from fournines.cloud.source import Node
from fournines.errors import CloudFileError


def with_host(text: str, region: str, name: str, entry: str, where: str) -> str:
    """`text` with `name: entry` as the last of the region's hosts. where: what to call the file. Raises
    CloudFileError."""
    hosts = _hosts(text, region, where)
    lines = text.splitlines(keepends=True)
    last = _last_line(hosts[-1][1])
    indent = " " * hosts[0][0].start_mark.column
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    lines.insert(last + 1, f"{indent}{name}: {entry}\n")
    return "".join(lines)


def without_host(text: str, region: str, name: str, where: str) -> str:
    """Raises CloudFileError where the host has no entry of its own."""
    hosts = _hosts(text, region, where)
    found = next((pair for pair in hosts if pair[0].value == name), None)
    if found is None:
        raise CloudFileError(
            f"{name} has no entry of its own in {where}",
            why="it is one of a range, such as cmp[001-100]",
            next="take it out of the file yourself, then fournines scale CLOUD",
        )
    if len(hosts) == 1:
        raise CloudFileError(f"{name} is the only host of {region} in {where}", next="it stays")
    lines = text.splitlines(keepends=True)
    del lines[found[0].start_mark.line : _last_line(found[1]) + 1]
    return "".join(lines)


def with_accepted(text: str, reasons: Mapping[str, str], where: str) -> str:
    """`text` with these under `accept`: rule -> why. Rules that are there already stay as they are. Raises
    CloudFileError."""
    node = cast(Node, limited().compose(text))
    pairs = cast("list[tuple[Node, Node]]", node.value)
    accept = next((value for key, value in pairs if key.value == "accept"), None)
    entries = cast("list[tuple[Node, Node]]", accept.value if accept is not None else [])
    new = {rule: why for rule, why in reasons.items() if rule not in {key.value for key, _ in entries}}
    if not new:
        return text
    if accept is None:
        return "".join([text if text.endswith("\n") else f"{text}\n", "accept:\n", *_entries(new, "  ")])
    if accept.id != "mapping" or getattr(accept, "flow_style", False) or not entries:
        raise CloudFileError(
            f"`accept` in {where} does not stand on lines of its own",
            why=f"it has to name {', '.join(new)}",
            next=f"add to it yourself: {'; '.join(f'{rule}: {why}' for rule, why in new.items())}",
        )
    lines = text.splitlines(keepends=True)
    last = _last_line(accept)
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    lines[last + 1 : last + 1] = _entries(new, " " * entries[0][0].start_mark.column)
    return "".join(lines)


def _entries(reasons: Mapping[str, str], indent: str) -> list[str]:
    return [f"{indent}{rule}: {json.dumps(why)}\n" for rule, why in reasons.items()]


def _hosts(text: str, region: str, where: str) -> list[tuple[Node, Node]]:
    """Key and value of each of the region's entries, a line or more each."""
    node = cast(Node, limited().compose(text))
    for step in ("regions", region, "hosts"):
        pairs = cast("list[tuple[Node, Node]]", node.value)
        node = next(value for key, value in pairs if key.value == step)
    hosts = cast("list[tuple[Node, Node]]", node.value)
    starts = [key.start_mark.line for key, _ in hosts]
    if getattr(node, "flow_style", False) or len(set(starts)) < len(starts) or not hosts:
        raise CloudFileError(
            f"the hosts of {region} in {where} do not stand on lines of their own",
            next="change the file yourself, then fournines scale CLOUD, or fournines apply",
        )
    return hosts


def _last_line(node: Node) -> int:
    """Of a block mapping the mark is where the next thing begins: its last value's counts."""
    if node.id == "mapping" and not getattr(node, "flow_style", False) and node.value:
        return _last_line(cast("list[tuple[Node, Node]]", node.value)[-1][1])
    if node.id == "sequence" and not getattr(node, "flow_style", False) and node.value:
        return _last_line(cast("list[Node]", node.value)[-1])
    mark = getattr(node, "end_mark")  # noqa: B009  # ruamel's nodes carry no types
    return int(mark.line) if mark.column else int(mark.line) - 1

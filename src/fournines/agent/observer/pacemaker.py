"""What Pacemaker says of its cluster, as this member sees it. `parse` is pure."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from .system import output

#: Seconds between two looks: crm_mon costs some 20 ms of CPU.
EVERY = 5.0
#: With all of the history of fencing, one entry a host, action and outcome.
COMMAND = ("/usr/sbin/crm_mon", "--one-shot", "--inactive", "--fence-history=2", "--output-as=xml")


async def look() -> dict[str, Any]:
    """Raises OSError: no cluster runs on this host."""
    text = await output(*COMMAND, timeout=4.0)
    try:
        return parse(text)
    except ElementTree.ParseError:
        raise OSError("no cluster runs on this host") from None


def parse(text: str) -> dict[str, Any]:
    """crm_mon's XML (crm_mon.rng). ParseError: it is none; OSError: it says why there is none."""
    said = ElementTree.fromstring(text)  # noqa: S314 - of this host's own daemon
    status = said.find("status")
    if status is not None and status.get("code") != "0":
        raise OSError(status.get("message") or "no cluster runs on this host")
    dc, options = said.find("summary/current_dc"), said.find("summary/cluster_options")
    return {
        "dc": dc.get("name", "") if dc is not None and dc.get("present") == "true" else "",
        "quorum": dc is not None and dc.get("with_quorum") == "true",
        "fencing": options is not None and options.get("stonith-enabled") == "true",
        "maintenance": options is not None and options.get("maintenance-mode") == "true",
        "members": {node.get("name", ""): _member(node) for node in said.iterfind("nodes/node")},
        "resources": [_resource(each, above) for each, above in _resources(said)],
        "failures": [
            {
                "operation": each.get("op_key") or each.get("id") or "",
                "host": each.get("node", ""),
                "reason": each.get("exitreason") or each.get("exitstatus") or "",
                "at": each.get("last-rc-change", ""),
            }
            for each in said.iterfind("failures/failure")
        ],
        "history": [
            {
                "host": each.get("target", ""),
                "action": each.get("action", ""),
                "outcome": each.get("status", ""),
                "by": each.get("delegate") or each.get("origin") or "",
                "at": each.get("completed", ""),
                "reason": each.get("exit-reason", ""),
            }
            for each in said.iterfind("fence_history/fence_event")
        ],
    }


def _member(node: Element) -> str:
    """One word: the worst that is true of it."""
    if node.get("unclean") == "true":
        return "unclean"
    if node.get("online") != "true":
        return "offline"
    for word in ("pending", "standby", "maintenance"):
        if node.get(word) == "true":
            return word
    return "online"


def _resources(said: Element) -> list[tuple[Element, str]]:
    """Each primitive, and the clone or group that it is in."""
    found: list[tuple[Element, str]] = []

    def walk(parent: Element, above: str) -> None:
        for child in parent:
            if child.tag == "resource":
                found.append((child, above))
            elif child.tag in ("clone", "group", "bundle", "replica"):
                # The copies of a cloned group are groups of the same name with a number.
                walk(child, above or child.get("id", ""))

    for section in said.iterfind("resources"):
        walk(section, "")
    return found


def _resource(each: Element, above: str) -> dict[str, Any]:
    return {
        "name": each.get("id", ""),
        "in": above,
        "agent": each.get("resource_agent", ""),
        "role": each.get("role", ""),
        "on": [node.get("name", "") for node in each.iterfind("node")],
        "failed": each.get("failed") == "true",
        "blocked": each.get("blocked") == "true",
        "managed": each.get("managed") == "true",
    }

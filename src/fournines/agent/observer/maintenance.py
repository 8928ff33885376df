"""What operators have asked of hosts, as `apply` has left it on this one: /etc/fournines/maintenance.json.

{"ctl1": {"drained": true, "reason": "new disks", "since": "2026-11-28T15:00:00Z", "boot": ""}, …}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

PATH = Path("/etc/fournines/maintenance.json")


def read(path: Path = PATH) -> dict[str, Any]:
    """{} where there is none, or none that can be read: a host that is not known to be drained serves."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def drained(entries: Mapping[str, Any], host: str) -> bool:
    entry = entries.get(host)
    return isinstance(entry, dict) and cast("dict[str, Any]", entry).get("drained") is True

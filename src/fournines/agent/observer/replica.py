"""This host's copy of a database that Pacemaker promotes, as the cluster's agent saw it last (`programs/replica`).

{
  "at": seconds since the epoch, "state": "primary", "replica", "idle" or "building",
  "position": GTIDs that it has received, "applied": those that it has applied,
  "term": of the record: how many promotions there were, "primary": who was promoted last,
  "complete": a replica has all that was acknowledged, "sync": hosts that may have acknowledged rows,
  of the primary: "waits": commits wait for a replica, "clients": replicas that acknowledge, "waiting": commits now,
  of a replica: "acknowledges": it does, "receives", "applies": `Yes`, `No`, `Connecting`, "lag": seconds or null,
  "problem": what is in the way, "why": why it must not be promoted, "" if it may,
  "aside": folders with old data of this host's
}
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

SAID = Path("/run/fournines/replica.json")
#: Seconds between two looks, and after which the agent's word is no longer what is true.
EVERY, STALE = 2.0, 20.0


async def look() -> dict[str, Any]:
    """Raises OSError."""
    return read(SAID, time.time())


def read(said: Path, at: float) -> dict[str, Any]:
    """at: now, in seconds since the epoch. Raises OSError: the cluster does not run it here."""
    try:
        found: dict[str, Any] = json.loads(said.read_text())
    except FileNotFoundError:
        raise OSError("the cluster does not run the database here") from None
    age = at - found.pop("at")
    if age > STALE:
        raise OSError(f"the cluster has not looked at the database for {age:.0f} s")
    found.pop("memory", None)
    return found

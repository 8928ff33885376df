"""A cluster's status as one JSON document."""

from __future__ import annotations

import dataclasses
from typing import Any

from fournines.health.cluster import Cluster
from fournines.services.capabilities import voting


def document(seen: Cluster) -> dict[str, Any]:
    """For `--json` and the REST API: all that is known of every host."""
    return {
        "cloud": seen.cloud.name,
        "healthy": seen.healthy,
        "sentence": seen.sentence(),
        "problems": [dataclasses.asdict(p) for p in seen.problems],
        "warnings": [dataclasses.asdict(w) for w in seen.warnings],
        "regions": {
            r.region.name: {
                "vip_holders": r.vip_holders,
                "writers": r.writers,
                "voters": voting(seen.cloud, r.region.name),
                "not_served": r.served(),
                "hosts": {name: dataclasses.asdict(state) for name, state in r.states.items()},
                "unknown": [dataclasses.asdict(u) for u in r.unknown],
            }
            for r in seen.regions
        },
    }

"""What a cloud amounts to, with what was measured of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from fournines.cloud.model import Cloud
    from fournines.design.overview import Overview


def overview(cloud: Cloud) -> Overview:
    """Outages from the runs of `prove` that are stored beside the cloud file. Raises CloudFileError, ProveError."""
    from fournines.design.overview import overview as make
    from fournines.prove.observed import stored

    return make(cloud, stored(cloud.state_dir, cloud.timing.profile))


def finite(value: Any) -> Any:
    """JSON knows no infinity: what never fails has null as its time to failure."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in cast(list[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value

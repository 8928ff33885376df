"""What a cloud amounts to, with what was measured of it."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fournines.cloud.model import Cloud, Host
    from fournines.design.overview import Overview
    from fournines.design.usage import Observation, Usage
    from fournines.engine import SshOptions


def overview(cloud: Cloud) -> Overview:
    """Outages from the runs of `prove` that are stored beside the cloud file. Raises CloudFileError, ProveError."""
    from fournines.design.overview import overview as make
    from fournines.prove.observed import stored

    return make(cloud, stored(cloud.state_dir, cloud.timing.profile))


def observed(cloud: Cloud, ssh: SshOptions, names: Sequence[str] = ()) -> tuple[Observation, ...]:
    """Formulas of the limits beside what the hosts of the control plane take now; of `names` alone, if any. Asks them
    over SSH, once. Raises HostError."""
    from fournines.design.usage import compared
    from fournines.services.capabilities import control_plane

    carriers = [h for region in cloud.regions for h in control_plane(cloud, region)]
    return compared(cloud, asyncio.run(_usage(cloud, [h for h in carriers if not names or h.name in names], ssh)))


async def _usage(cloud: Cloud, hosts: Sequence[Host], ssh: SshOptions) -> tuple[Usage, ...]:
    from fournines.engine import connect
    from fournines.health.usage import usage

    async with connect(hosts, ssh) as connected:
        connected.require_all()  # most figures are sums over hosts
        return await usage(cloud, connected)


def finite(value: Any) -> Any:
    """JSON knows no infinity: what never fails has null as its time to failure."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in cast(list[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Options by which one service repeats what it asked another one, whatever that was."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.source import Path
from fournines.design.finding import Flaw
from fournines.services.openstack import REPEATS


def repeated_requests(cloud: Cloud) -> Iterator[Flaw]:
    for service, config in cloud.services.items():
        for file, sections in config.options.items():
            for section, options in sections.items():
                for option, value in options.items():
                    if option not in REPEATS.get(service, ()) or str(value) == "0":
                        continue
                    path: Path = ("services", service, "options", file, *([section] if section else []), option)
                    yield Flaw(
                        path,
                        "warning",
                        f"{service} repeats its requests to other services: {option}",
                        "a read timeout and a reset count as a failed connect there: what was carried out is carried "
                        "out again, and leaves a second port, volume or server",
                        "remove it: the load balancer repeats what changes nothing",
                    )

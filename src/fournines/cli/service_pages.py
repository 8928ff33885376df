"""A page for each service, written from what its module says: pattern, ports, accounts, options, failure behaviour."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from fournines.cli.markdown import markdown
from fournines.cloud.model import Cloud, Region
from fournines.cloud.roles import EVERY_HOST
from fournines.services import registry
from fournines.services.capabilities import (
    Balanced,
    Dispensable,
    MayBePassive,
    Provides,
    Registers,
    UsesDatabase,
    UsesMessaging,
    failover,
)
from fournines.services.options import known
from fournines.services.service import Service


def pages(cloud: Cloud) -> Mapping[str, str]:
    """File name -> Markdown, of every service; ports and times as in `cloud`."""
    template = markdown("service_page")
    region = next(iter(cloud.regions.values()))
    made = {name: _facts(cloud, region, service) for name, service in registry().items()}
    found = {f"{name}.md": template.render(page="service", **facts) for name, facts in made.items()}
    return {"README.md": template.render(page="index", services=list(made.values())), **found}


def _facts(cloud: Cloud, region: Region, service: Service) -> dict[str, Any]:
    text = inspect.cleandoc(inspect.getmodule(type(service)).__doc__ or "")
    about, _, more = text.partition("\n\n")
    registration = service.registration(cloud, region) if isinstance(service, Registers) else None
    return {
        "name": service.name,
        "title": " ".join(about.split()),
        "more": more,
        "pattern": service.pattern_in(cloud).value,
        "roles": [
            *("every host" if role == EVERY_HOST else f"`{role}`" for role in service.roles),
            *(f"beside `{other}`, where monitored" for other in service.beside),
        ],
        "component": service.component,
        "needs": service.needs,
        "after": service.after,
        "mechanism": [f"{tier}: {value}" for tier, value in service.mechanism.items()],
        "units": service.units,
        "rolling": service.rolling,
        "frontends": service.frontends(cloud, region) if isinstance(service, Balanced) else (),
        "databases": service.databases if isinstance(service, UsesDatabase) else (),
        "vhosts": service.vhosts if isinstance(service, UsesMessaging) else (),
        "entries": registration.catalogue if registration else (),
        "accounts": registration.accounts if registration else (),
        "functions": service.functions if isinstance(service, Provides) else (),
        "dispensable": service.dispensable if isinstance(service, Dispensable) else "",
        "movable": [one.unit for one in service.movable(cloud)] if isinstance(service, MayBePassive) else [],
        "failover": failover(service, cloud),
        "options": {
            file: sum(map(len, sections.values())) for file, sections in sorted((known(service.name) or {}).items())
        },
    }

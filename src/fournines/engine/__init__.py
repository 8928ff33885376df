"""Carries a plan out on hosts. Knows SSH, files and units; knows nothing of OpenStack.

async with connect(cloud.hosts) as hosts:               # {name: ManagedHost}, and .failures
    found = await survey(cloud, registry(), hosts)      # .plan, and .failures
    await apply(found.plan, hosts)
"""

from fournines.engine.apply import apply, hold, require_confirmed, require_foreseen, require_same_world
from fournines.engine.connect import Connected, connect
from fournines.engine.lock import holder, local_lock, owner
from fournines.engine.observe import observe
from fournines.engine.ssh import SshOptions
from fournines.engine.survey import Survey, survey

__all__ = [
    "Connected",
    "SshOptions",
    "Survey",
    "apply",
    "connect",
    "hold",
    "holder",
    "local_lock",
    "observe",
    "owner",
    "require_confirmed",
    "require_foreseen",
    "require_same_world",
    "survey",
]

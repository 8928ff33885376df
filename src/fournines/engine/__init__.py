"""Carries a plan out on hosts. Knows SSH, files and units; knows nothing of OpenStack.

async with connect(cloud.hosts) as hosts: ...      # {name: ManagedHost}, and .failures
"""

from fournines.engine.connect import Connected, connect
from fournines.engine.ssh import SshOptions

__all__ = ["Connected", "SshOptions", "connect"]

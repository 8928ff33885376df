"""What runs on the cloud that was proven: package versions, read from one of its hosts."""

from __future__ import annotations

from collections.abc import Mapping

from fournines import __version__
from fournines.cloud.model import Cloud, Region
from fournines.errors import HostError
from fournines.prove.reach import Reach

PACKAGES = (
    *("corosync", "galera-4", "haproxy", "keepalived", "keystone"),
    *("mariadb-server", "memcached", "pacemaker", "rabbitmq-server"),
)
#: Services, one of which a cloud has: where the others are installed too.
DATABASES = ("mariadb", "mariadb_replica", "mariadb_shared")
#: Of those that are installed: which of them a cloud has, its pattern says.
_QUERY = "dpkg-query -W -f '${Package} ${Version}\\n' " + " ".join(PACKAGES) + " 2> /dev/null || true"


async def versions(reach: Reach, cloud: Cloud, region: Region) -> dict[str, str]:
    """Package -> version, fournines and the hosts' system among them. Empty of what the host does not tell."""
    found = {"fournines": __version__}
    try:
        host = next(h for name in DATABASES for h in cloud.hosts_of(name, region.name)).name
        done = await reach.run(host, f". /etc/os-release; echo system $ID $VERSION_ID; {_QUERY}")
    except (HostError, StopIteration):
        return found
    for line in done.stdout.splitlines():
        name, _, version = line.partition(" ")
        found[name] = version
    return found


def merged(every: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Cloud -> its versions, as one: what is not the same on all clouds is said of each."""
    names = dict.fromkeys(name for versions in every.values() for name in versions)
    found: dict[str, str] = {}
    for name in names:
        said = {cloud: versions[name] for cloud, versions in every.items() if name in versions}
        if len(said) == len(every) and len(set(said.values())) == 1:
            found[name] = next(iter(said.values()))
        else:
            found |= {f"{name}, {cloud}": version for cloud, version in said.items()}
    return found

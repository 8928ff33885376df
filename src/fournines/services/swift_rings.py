"""Swift's rings: which devices hold which partition.

They are a pure function of the devices (highest random weight, a zone before a host before a device), so there is no
builder whose state could be lost, every host makes the same bytes, and a host more or less moves one replica of a
partition at most. More than that in one step is refused on the host: data would be out of reach until it is copied.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from fournines.cloud.model import Cloud, Host, Region
from fournines.services import quoting
from fournines.services.options import operators
from fournines.services.render import ini, program
from fournines.services.resource import Directory, File, Resource, Task

NETWORK = "storage"
DEVICES = "/srv/node"
DIRECTORY = "/etc/swift"
SCRIPT = "/usr/lib/fournines/swift-rings"
WANTED = f"{DIRECTORY}/fournines-rings.json"
#: In that folder: what the rings were last made of.
MADE = "rings.made.json"
PORTS = {"account": 6202, "container": 6201, "object": 6200}
#: Partitions are 2 to this power, for good: 1024 suit up to some thirty devices (a hundred partitions on each).
PART_POWER = 10


def address(host: Host) -> str:
    """Where a storage host is reached: on network `storage` where there is one."""
    return str(host.addresses.get(NETWORK, host.address))


def devices(cloud: Cloud) -> dict[str, float]:
    """Device -> weight, of every storage host; folders of /srv/node. One, unless the cloud file says more."""
    return dict(cloud.options("swift_storage", "rings").get("devices", {})) or {"d1": 100}


def replicas(cloud: Cloud, region: Region) -> int:
    return min(3, len(cloud.hosts_of("swift_storage", region.name)) * len(devices(cloud)))


def common(cloud: Cloud, region: Region) -> Iterable[Resource]:
    """What every host that asks or keeps the rings has. No unit is triggered: rings are read anew when they change, and
    the hash's salt never does."""
    yield Directory(DIRECTORY)
    salt = {
        "swift_hash_path_prefix": cloud.secrets.get("swift.hash-prefix"),
        "swift_hash_path_suffix": cloud.secrets.get("swift.hash-suffix"),
    }
    own = {"swift-hash": salt, "storage-policy:0": {"name": "replicated", "default": "yes"}}
    yield File(
        f"{DIRECTORY}/swift.conf",
        ini(own, operators(cloud, "swift", "swift.conf"), encode=quoting.interpolated),
        mode=0o640,
        group="swift",
        secret=True,
    )
    wanted = json.dumps(_document(cloud, region), indent=1) + "\n"
    yield File(SCRIPT, program("swift_rings.py"), mode=0o755)
    yield File(WANTED, wanted)
    yield Task(
        name="swift rings",
        check=f"cd {DIRECTORY} && sha256sum --check --status rings.sha256 && cut -c1-64 rings.sha256 | head -n 1",
        want=hashlib.sha256(wanted.encode()).hexdigest(),
        script=SCRIPT,
    )


def _document(cloud: Cloud, region: Region) -> dict[str, Any]:
    hosts = cloud.hosts_of("swift_storage", region.name)
    of_each = devices(cloud)
    power = cloud.options("swift_storage", "rings").get("ring", {}).get("part_power", PART_POWER)
    return {
        "part_power": int(power),
        "replicas": replicas(cloud, region),
        "ports": PORTS,
        "devices": [
            {"host": h.name, "zone": h.zone.name, "ip": address(h), "device": device, "weight": float(weight)}
            for h in hosts
            for device, weight in of_each.items()
        ],
    }

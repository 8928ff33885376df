"""What the cloud file adds to the hosts' firewalls: addresses and ports that nft would refuse on every host."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.cloud.source import Path
from fournines.design.finding import Flaw
from fournines.services.firewall import OPTIONS, enabled, listed

_PATH: Path = ("services", "firewall", "options", OPTIONS)


def options(cloud: Cloud) -> Iterator[Flaw]:
    theirs = cloud.options("firewall", OPTIONS)
    for section in ("sources", "accept"):
        for name, value in theirs.get(section, {}).items():
            path = (*_PATH, section, name)
            if section == "accept" and not _is_port(name):
                what = f"{name} is no protocol with a port"
                yield Flaw(path, "error", what, _WHY, "such as `tcp 9100` or `udp 6000-6010`", key=True)
            for written in listed(value):
                if why := _wrong(written, only_ipv4=name == "operators"):
                    yield Flaw(path, "error", f"{written} is {why}", _WHY, "such as 198.51.100.7 or 198.51.100.0/24")


def none(cloud: Cloud) -> Iterator[Flaw]:
    if not enabled(cloud):
        yield Flaw(
            (*_PATH, "enabled"),
            "warning",
            "no host has a firewall",
            "whoever reaches a host's network reaches every port of every daemon there",
            "remove it, or say under `accept:` what protects these hosts instead",
        )


_WHY = "nft takes a host's rules as a whole or not at all, so no host could be applied to"


def _is_port(written: str) -> bool:
    found = re.fullmatch(r"(?:tcp|udp) (\d+)(?:-(\d+))?", written)
    return bool(found) and 0 < int(found[1]) <= int(found[2] or found[1]) < 65536


def _wrong(written: str, *, only_ipv4: bool) -> str:
    try:
        network = ipaddress.ip_network(written)
    except ValueError as error:
        return f"no address or network: {error}"
    return "no IPv4 address or network" if only_ipv4 and network.version != 4 else ""

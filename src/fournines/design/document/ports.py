"""The firewall table: who may reach what, as the hosts' firewalls let it in."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud, Region
from fournines.design.document.parts import Paragraph, Part, Table
from fournines.services import registry
from fournines.services.capabilities import HasAddress
from fournines.services.openings import Opening, openings


def parts(cloud: Cloud) -> Iterator[Part]:
    for region in cloud.regions.values():
        if len(cloud.regions) > 1:
            yield Paragraph(f"Region {region.name}:")
        columns = ("From", "To", "Network", "Protocol", "Port", "What")
        yield Table(
            columns, tuple(_row(cloud, region, o) for o in openings(cloud, region.name) if o.port.source), right=(4,)
        )
    yield Paragraph(
        "Beside these, SSH and ICMP, and from the machines that fournines is run from every port above. Each host's "
        "firewall lets in what the table says, and drops everything else that others send to its addresses."
    )


def _row(cloud: Cloud, region: Region, o: Opening) -> tuple[str, ...]:
    network = o.port.network if o.port.network in region.networks else "management"
    to = f"hosts of {o.service}" if o.to == "hosts" else f"{o.to}, {_vip(cloud, region, o)}"
    protocol = f"{o.port.protocol}, TLS" if o.to == "public VIP" else o.port.protocol
    return _from(o, network), to, network, protocol, o.numbers, f"{o.service}: {o.port.what}"


def _vip(cloud: Cloud, region: Region, o: Opening) -> str:
    own = registry()[o.service]
    if o.to == "its address" and isinstance(own, HasAddress):
        return str(own.address(cloud, region))
    return str(region.vips.internal if o.to == "internal VIP" else region.vips.public)


def _from(o: Opening, network: str) -> str:
    match o.port.source:
        case "its own members":
            return f"hosts of {o.service}"
        case "its network":
            return f"network {network}"
        case str(words):
            return words.removeprefix("the ")
        case names:
            return f"hosts of {', '.join(names)}"

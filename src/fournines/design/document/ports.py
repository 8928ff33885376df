"""The firewall table: who may reach what, from what services say of their ports."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud, Region
from fournines.design.document.parts import Paragraph, Part, Table
from fournines.services.capabilities import Balanced, Listens, present


def parts(cloud: Cloud) -> Iterator[Part]:
    for region in cloud.regions.values():
        if len(cloud.regions) > 1:
            yield Paragraph(f"Region {region.name}:")
        columns = ("From", "To", "Address", "Protocol", "Port", "What")
        yield Table(columns, tuple(_rows(cloud, region)), right=(4,))
    yield Paragraph("Beside these, SSH from where fournines runs. What is not in the table needs no way in.")


def _rows(cloud: Cloud, region: Region) -> Iterator[tuple[str, ...]]:
    services = present(cloud, region.name)
    balanced = [(s, f) for s in services if isinstance(s, Balanced) for f in s.frontends(cloud, region)]
    for service, f in balanced:
        protocol = "tcp, TLS" if f.public else "tcp"
        if f.public:
            yield "users", "public VIP", str(region.vips.public), protocol, str(f.public_port or f.port), service.name
        yield "every host", "internal VIP", str(region.vips.internal), "tcp", str(f.port), service.name
    for service, f in balanced:
        ports = ", ".join(dict.fromkeys(str(p) for p in (f.port, f.check_port) if p))
        yield "load balancers", f"hosts of {service.name}", "management", "tcp", ports, f"{service.name}: backend"
    for service in services:
        if isinstance(service, Listens):
            for p in service.ports:
                source = f"hosts of {service.name}" if p.source == "its own members" else p.source
                number = str(p.number) if p.number else ""
                what = f"{service.name}: {p.what}"
                yield source.removeprefix("the "), f"hosts of {service.name}", "management", p.protocol, number, what

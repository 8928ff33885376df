"""Cloud files of any size: tiers on hosts of their own, racks that share power and switches, full components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

#: Role -> hosts of it in each region, one a rack as far as racks go.
TIERS = {"endpoint": 2, "controller": 3, "database": 3, "messaging": 3, "network": 2, "storage": 3}


def tiered(regions: int, racks: int, computes: int, tiers: Mapping[str, int] = TIERS) -> str:
    """A cloud file: `tiers` and `computes` hypervisors a region. Two racks share a power feed. A region has up to 200
    hypervisors."""
    return "\n".join(_lines(regions, racks, computes, tiers)) + "\n"


def _lines(regions: int, racks: int, computes: int, tiers: Mapping[str, int]) -> Iterator[str]:
    yield from ("cloud: archipelago", 'release: "2025.1"', "components: full", "regions:")
    for r in range(regions):
        networks = {n: f"10.{r}.{i}" for i, n in enumerate(("management", "public", "tenant", "external"))}
        yield f"  europe-west-{r + 1}:"
        yield f"    vips: {{internal: {networks['management']}.5, public: {networks['public']}.5}}"
        yield f"    networks: {{{', '.join(f'{n}: {prefix}.0/24' for n, prefix in networks.items())}}}"
        yield "    zones:"
        for z in range(racks):
            yield f"      hall2-rack{z + 1:02}: {{power: feed-{'abcdefgh'[z // 2]}, switch: leaf-2{z + 1:02}}}"
        yield "    hosts:"
        yield from _hosts(r, racks, computes, networks["management"], tiers)


def _hosts(region: int, racks: int, computes: int, network: str, tiers: Mapping[str, int]) -> Iterator[str]:
    offset = 10
    for role, count in tiers.items():
        for i in range(count):
            # Of quorum groups no two members share a feed, where there are feeds enough.
            zone = i * 2 % racks + i * 2 // racks
            host = f"zone: hall2-rack{zone + 1:02}, address: {network}.{offset}, roles: [{role}]"
            yield f"      r{region + 1}-{role}-{i + 1:02}-archipelago: {{{host}}}"
            offset += 1
    for z in range(racks):
        count = computes // racks + (z < computes % racks)
        host = (
            f"zone: hall2-rack{z + 1:02}, address: {network}.{offset}+, roles: [compute], addresses: {{public: null}}"
        )
        yield f"      r{region + 1}-compute-r{z + 1:02}-[001-{count:03}]: {{{host}}}"
        offset += count

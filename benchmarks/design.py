"""What design says of 10,000 hosts in four regions of eight zones, and a million years of three controllers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.figure import ROOT, Figure, fournines, measure

REGIONS, ZONES, HOSTS, CONTROLLERS = 4, 8, 10_000, 5


def figures() -> Iterable[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        cloud = Path(directory) / "cloud.yaml"
        cloud.write_text("\n".join(_large()) + "\n")
        yield measure(
            "design, 10,000 hosts",
            fournines("design", "overview", "--json", str(cloud)),
            target=10.0,
            note="cut sets and availability of all functions, what more hosts would buy; at most 1 GiB",
            runs=3,
        )
        three = str(ROOT / "examples" / "three-controllers.yaml")
        yield measure(
            "a million years, 3 controllers",
            fournines("design", "simulate", three, "authenticate", "--years", "1000000"),
            target=60.0,
        )
        yield measure(
            "architecture document, 3 hosts",
            fournines("design", "document", three, "-o", f"{directory}/document"),
            target=None,
        )


def _large() -> Iterator[str]:
    """A cloud file: five controllers a region in zones of their own, computes everywhere."""
    yield from ("cloud: benchmark", 'release: "2025.1"', "regions:")
    computes = HOSTS // REGIONS - CONTROLLERS
    for r in range(REGIONS):
        management, public = f"10.{r * 64}", f"10.{r * 64 + 1}"
        yield f"  r{r}:"
        yield f"    vips: {{internal: {management}.255.10, public: {public}.255.10}}"
        tenant, external = f"10.{r * 64 + 2}.0.0/16", f"10.{r * 64 + 3}.0.0/16"
        yield f"    networks: {{management: {management}.0.0/16, public: {public}.0.0/16, tenant: {tenant},"
        yield f"      external: {external}}}"
        yield "    zones:"
        yield from (f"      z{z}: {{power: feed-{z // 2}, switch: leaf-{z}}}" for z in range(ZONES))
        yield "    hosts:"
        for i in range(CONTROLLERS):
            zone = i * 2 % ZONES + i // 4
            yield f"      r{r}ctl{i}: {{zone: z{zone}, address: {management}.0.{11 + i}, roles: [controller]}}"
        at = 256
        for z in range(ZONES):
            count = computes // ZONES + (z < computes % ZONES)
            address = f"{management}.{at // 256}.{at % 256}+"
            host = f"zone: z{z}, address: {address}, roles: [compute], addresses: {{public: null}}"
            yield f"      r{r}cmp{z}-[0001-{count:04}]: {{{host}}}"
            at += count

"""Swift's rings of accounts, containers and objects, made anew from WANTED. Refuses to move more than one of a
partition's replicas in one step.

WANTED: {"part_power": partitions are 2 to this power, "replicas": of a partition, "ports": {ring: port of its daemons},
"devices": [{"host", "zone", "ip", "device": folder's name, "weight"}]}
"""

from __future__ import annotations

import array
import hashlib
import json
import math
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

DIRECTORY = Path("/etc/swift")
WANTED = DIRECTORY / "fournines-rings.json"
#: In that folder: what the rings were last made of, and digests of all that a check compares.
MADE, DIGESTS = "rings.made.json", "rings.sha256"

Document = dict[str, Any]
Device = dict[str, Any]
#: Partition -> indices of its devices.
Table = list[list[int]]


def score(partition: int, device: Device) -> float:
    """Highest random weight (Thaler and Ravishankar), weighted: devices draw lots, the heavier the better."""
    drawn = hashlib.blake2b(f"{partition}/{device['host']}/{device['device']}".encode(), digest_size=8).digest()
    return -device["weight"] / math.log((int.from_bytes(drawn, "big") + 0.5) / 2**64)


def holders(partition: int, devices: Sequence[Device], replicas: int) -> list[int]:
    """Indices of devices: as few in one zone as can be, then as few on one host, then by their lots."""
    order = sorted(range(len(devices)), key=lambda i: -score(partition, devices[i]))
    chosen: list[int] = []

    def crowded(i: int) -> list[int]:
        return [sum(devices[c][domain] == devices[i][domain] for c in chosen) for domain in ("zone", "host")]

    for _ in range(replicas):
        chosen.append(min((i for i in order if i not in chosen), key=crowded))
    return chosen


def table(wanted: Document) -> Table:
    return [holders(p, wanted["devices"], wanted["replicas"]) for p in range(1 << wanted["part_power"])]


def names(devices: Sequence[Device], row: Sequence[int]) -> set[tuple[str, str]]:
    return {(devices[i]["host"], devices[i]["device"]) for i in row}


def displaced(old: Document, new: Document) -> int:
    """The most replicas of one partition that would have to be copied elsewhere. ValueError: other partitions."""
    if old["part_power"] != new["part_power"]:
        raise ValueError(f"the number of partitions is for good: part_power {old['part_power']}")
    rows = zip(table(old), table(new), strict=True)
    return max(len(names(old["devices"], a) - names(new["devices"], b)) for a, b in rows)


def described(kind: str, wanted: Document) -> list[Device]:
    """Devices of ring `kind`, as Swift has them."""
    zones = sorted({device["zone"] for device in wanted["devices"]})
    port = wanted["ports"][kind]
    return [
        {
            "id": number,
            "region": 1,
            "zone": zones.index(d["zone"]) + 1,
            "ip": d["ip"],
            "port": port,
            "replication_ip": d["ip"],
            "replication_port": port,
            "device": d["device"],
            "weight": d["weight"],
            "meta": d["host"],
        }
        for number, d in enumerate(wanted["devices"])
    ]


def ring(kind: str, wanted: Document, rows: Table) -> Any:
    """Of Swift's own class, which writes the file."""
    columns = [array.array("H", (row[replica] for row in rows)) for replica in range(wanted["replicas"])]
    made = import_module("swift.common.ring").RingData
    return made(columns, described(kind, wanted), 32 - wanted["part_power"])


def refuse(moved: int) -> None:
    if moved > 1:
        sys.exit(
            f"{moved} of a partition's replicas would move at once, and its data be out of reach meanwhile: add or"
            " remove one storage host at a time, and wait for the replicators (swift-recon -r) in between"
        )


def main() -> None:
    os.chdir(DIRECTORY)  # a ring's file holds the name that it was written to
    wanted = json.loads(WANTED.read_text())
    made = Path(MADE)
    if made.exists():
        try:
            refuse(displaced(json.loads(made.read_text()), wanted))
        except ValueError as error:
            sys.exit(str(error))
    rows = table(wanted)
    files = [WANTED.name]
    for kind in wanted["ports"]:
        new = Path(f"{kind}.ring.gz.new")
        ring(kind, wanted, rows).save(str(new))
        new.chmod(0o644)
        new.replace(f"{kind}.ring.gz")
        files.append(f"{kind}.ring.gz")
    made.write_text(WANTED.read_text())
    sums = (f"{hashlib.sha256(Path(name).read_bytes()).hexdigest()}  {name}\n" for name in files)
    Path(DIGESTS).write_text("".join(sums))


if __name__ == "__main__":
    main()

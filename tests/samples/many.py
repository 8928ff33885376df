"""A cloud of 300 hosts, three of them controllers, for whoever asks how large a page or an answer becomes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from samples.agents import well
from samples.dashboard import EXAMPLE, Site

HOSTS = 300


def many(directory: Path) -> Path:
    """Its cloud file, in `directory`."""
    example = EXAMPLE.read_text()
    cloud = example.replace("198.18.0.0/24", "198.18.0.0/22")
    line = next(x for x in example.splitlines() if x.strip().startswith("ctl3:"))
    more = line.replace("ctl3", f"cmp[001-{HOSTS - 3}]").replace("198.18.0.13", "198.18.1.1+")
    more = more.replace("[controller]", "[spare]").replace("roles:", "addresses: {public: null}, roles:")
    path = directory / "many.yaml"
    path.write_text(cloud.replace(line, f"{line}\n{more}") + "\nroles: {spare: [base]}\n")
    return path


def speak(site: Site) -> None:
    """All of them say that they are well."""
    bare: dict[str, Any] = {**copy.deepcopy(well("ctl3", 2)), "peers": {}, "vip": None, "galera": None, "guard": None}
    for part in ("haproxy", "rabbitmq", "memcached", "keystone", "fernet"):
        del bare[part]
    site.words |= {
        h.name: {**copy.deepcopy(bare), "host": h.name} for h in site.cloud.hosts if h.name.startswith("cmp")
    }


def fail(site: Site, number: int) -> None:
    """A daemon of the host with this number is down, as it says next."""
    document = site.words[f"cmp{number:03}"]
    assert document
    document["units"]["units"]["mariadb.service"] = {"ActiveState": "failed", "Result": "signal"}

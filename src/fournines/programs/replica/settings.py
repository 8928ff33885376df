"""/etc/fournines/replica.json: what a host with a copy of the database must know. Durations are seconds.

{
  "host": "ctl1",
  "hosts": {"ctl1": "198.18.0.11", …},     all that have a copy, in the cloud file's order: management addresses
  "unit": "mariadb.service", "datadir": "/var/lib/mysql", "port": 3306,
  "user": "replication", "password": "…",  of the account by which a replica reads the primary's binary log
  "ca": "/etc/fournines/tls/ca.crt",       what the primary's certificate is checked against; "": no TLS
  "alone": 8.0,                            Timers.database_alone
  "copy": {"port": 4444, "certificate": "/etc/mysql/fournines/member.pem",
           "authority": "/etc/mysql/fournines/members.pem"}     both "" without TLS
}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = Path("/etc/fournines/replica.json")


@dataclass(frozen=True)
class Copy:
    port: int
    certificate: str
    authority: str


@dataclass(frozen=True)
class Settings:
    host: str
    hosts: dict[str, str]
    unit: str
    datadir: str
    port: int
    user: str
    password: str = field(repr=False)
    ca: str
    alone: float
    copy: Copy

    def name_of(self, address: str) -> str:
        """ "" for nobody of these hosts."""
        return next((name for name, known in self.hosts.items() if known == address), "")


def load(path: Path = PATH) -> Settings:
    said: dict[str, Any] = json.loads(path.read_text())
    values: dict[str, Any] = {**said, "copy": Copy(**said["copy"])}
    return Settings(**values)

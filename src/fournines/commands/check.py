"""What is wrong with a cloud file, and with the cloud that it describes, as one JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fournines.cloud.model import Cloud
from fournines.design import Finding
from fournines.services.capabilities import voting


def count(findings: Sequence[Finding], severity: str) -> int:
    return sum(f.severity == severity for f in findings)


def document(path: Path, cloud: Cloud | None, findings: Sequence[Finding]) -> Mapping[str, Any]:
    """`cloud`: None of a file that describes none."""
    return {
        "file": str(path),
        "errors": count(findings, "error"),
        "warnings": count(findings, "warning"),
        "voters": {region: dict(voting(cloud, region)) for region in cloud.regions} if cloud else {},
        "findings": [dataclasses.asdict(f) for f in findings],
    }

"""The cloud file once lost hosts have left: without them, valid, and with a copy of what it was."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from fournines.cloud import edit
from fournines.cloud.model import Cloud
from fournines.commands.private import rewrite
from fournines.design import RULES, findings
from fournines.services import load


def without(cloud: Cloud, names: Sequence[str], stamp: str) -> Path:
    """Takes hosts out of the file of `cloud`. What is left may break rules of the design; that is accepted there, with
    the reason, for a file with errors would let nobody add another host. The path of the copy. Raises CloudFileError:
    it cannot be edited, and is as it was."""
    text = cloud.source.read_text()
    for name in names:
        text = edit.without_host(text, cloud.host_by_name[name].region, name, str(cloud.source))
    why = f"recovered {stamp} without {', '.join(names)}; take this out once others are in their place"
    text = edit.with_accepted(text, dict.fromkeys(_broken(cloud.source, text, stamp), why), str(cloud.source))
    copy = cloud.source.with_name(f"{cloud.source.name}.kept-{stamp}")
    if not copy.exists():
        shutil.copy2(cloud.source, copy)
    rewrite(cloud.source, text)
    return copy


def _broken(source: Path, text: str, stamp: str) -> list[str]:
    """Rules of which the file, were it `text`, would have errors, and those that it will on the way back to three."""
    trial = source.with_name(f".{source.name}.{stamp}")
    try:
        rewrite(trial, text)
        wrong = {finding.rule for finding in findings(load(trial)) if finding.severity == "error"}
    finally:
        trial.unlink(missing_ok=True)
    if "single-copy" in wrong:
        wrong.add("quorum-size")
    return [rule.id for rule in RULES if rule.acceptable and rule.id in wrong]

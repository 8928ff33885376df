"""What is installed is what the lock file names, and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^([a-z0-9.-]+)==(\S+) ((?:\\\n    --hash=sha256:[0-9a-f]{64} ?)+)$", LOCK, re.MULTILINE)


def test_every_package_has_one_version_and_its_hashes() -> None:
    assert len(ENTRIES) == LOCK.count("==") > 100
    assert len({name for name, _, _ in ENTRIES}) == len(ENTRIES)


def test_no_line_says_where_packages_are_fetched() -> None:
    """That differs from site to site, and a line here would go before the site's own."""
    assert not re.search(r"://|^\s*-(?!-hash=)", LOCK, re.MULTILINE)


def test_what_the_package_is_built_with_and_needs_is_locked() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*document["build-system"]["requires"], *document["project"]["dependencies"]]
    names = {normal(re.split(r"[\s<>=!~\[;]", text, maxsplit=1)[0]) for text in wanted}
    assert names <= {normal(name) for name, _, _ in ENTRIES}


def normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_hashes_are_required() -> None:
    script = (ROOT / "scripts/bootstrap.sh").read_text(encoding="utf-8")
    installs = [line for line in script.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert all("--no-deps" in line for line in installs)
    assert "--no-build-isolation" in installs[1]

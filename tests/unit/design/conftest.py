from __future__ import annotations

from pathlib import Path

import pytest

from samples import sound


@pytest.fixture
def check(tmp_path: Path) -> sound.Check:
    return sound.checker(tmp_path / "cloud.yaml")

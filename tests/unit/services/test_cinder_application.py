"""Cinder's policies are there before its first request."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fournines.services

FILE = Path(fournines.services.__file__).parent / "scripts/cinder_application.py"
SPEC = importlib.util.spec_from_file_location("cinder_application", FILE)
assert SPEC and SPEC.loader
loaded: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(loaded)


def test_policies_are_registered_once_the_configuration_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def initialize() -> str:
        done.append("application")
        return "cinder"

    modules = {
        "cinder.wsgi.wsgi": SimpleNamespace(initialize_application=initialize),
        "cinder.policy": SimpleNamespace(init=lambda: done.append("policies")),
    }
    monkeypatch.setattr(loaded.importlib, "import_module", modules.__getitem__)
    assert loaded.cinder() == "cinder"
    assert done == ["application", "policies"]

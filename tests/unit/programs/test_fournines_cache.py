"""Keystone's sealed cache: what comes from memcached is taken only if it was sealed for the name that was asked."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dogpile.cache.api import NO_VALUE
from dogpile.cache.backends.memory import MemoryBackend

from fournines.programs import fournines_cache
from fournines.services.fernet import new_key


class Memcached(MemoryBackend):
    """What all nodes share, and anyone who gets at it writes."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__(arguments)
        self.client_pool = SimpleNamespace(_arguments={})


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fournines_cache, "KEY", tmp_path / "cache.key")
    fournines_cache.KEY.write_text(new_key() + "\n")


@pytest.fixture
def memcached() -> Memcached:
    return Memcached({})


def node(memcached: Memcached) -> fournines_cache.Sealed:
    sealed: fournines_cache.Sealed = fournines_cache.Sealed().wrap(memcached)
    return sealed


def test_nodes_read_what_another_has_written(memcached: Memcached) -> None:
    node(memcached).set("token", {"user": "u"})
    node(memcached).set_multi({"a": 1, "b": [2]})
    assert node(memcached).get("token") == {"user": "u"}
    assert node(memcached).get_multi(["a", "none", "b"]) == [1, NO_VALUE, [2]]


def test_nothing_of_a_value_can_be_read(memcached: Memcached) -> None:
    node(memcached).set("token", "user-name")
    assert b"user-name" not in memcached.get("token")


class Payload:
    ran = False

    def __reduce__(self) -> Any:
        return setattr, (Payload, "ran", True)


@pytest.mark.parametrize("planted", [pickle.dumps(("token", Payload())), b"", b"text", "text", 3, None])
def test_what_was_planted_is_as_if_it_was_not_there(memcached: Memcached, planted: Any) -> None:
    memcached.set("token", planted)
    assert node(memcached).get("token") is NO_VALUE
    assert not Payload.ran


def test_what_was_sealed_for_another_name_is_not_taken(memcached: Memcached) -> None:
    """Else a copy of an administrator's entry would make anyone one."""
    node(memcached).set("administrator", "yes")
    memcached.set("somebody", memcached.get("administrator"))
    assert node(memcached).get("somebody") is NO_VALUE


def test_another_cloud_s_key_opens_nothing(memcached: Memcached) -> None:
    node(memcached).set("token", 1)
    fournines_cache.KEY.write_text(new_key())
    assert node(memcached).get("token") is NO_VALUE


def test_the_client_unpickles_nothing_itself(memcached: Memcached) -> None:
    node(memcached)
    unpickler = memcached.client_pool._arguments["unpickler"]
    with pytest.raises(pickle.UnpicklingError):
        unpickler(None).load()


def test_another_backend_is_refused_when_keystone_starts() -> None:
    with pytest.raises(AttributeError):
        fournines_cache.Sealed().wrap(MemoryBackend({}))

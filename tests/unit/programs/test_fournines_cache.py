"""Keystone's sealed cache: what comes from memcached is taken only if it was sealed for the name that was asked."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest
from cryptography.fernet import Fernet
from dogpile.cache.api import NO_VALUE
from dogpile.cache.backends.memory import MemoryBackend

from fournines.programs import fournines_cache
from fournines.services.fernet import new_key


class Client:
    """As python-memcached's: it sets its unpickler on itself."""

    def __init__(self) -> None:
        self.unpickler = pickle.Unpickler


class Node:
    """A Keystone: classes of its own, which are sealed, and the memcached that all share."""

    def __init__(self, memcached: dict[str, Any], key: str) -> None:
        class Backend(MemoryBackend):
            """oslo.cache's."""

        class OwnClient(Client):
            """python-memcached's."""

        self.backend = Backend({"cache_dict": memcached})
        fournines_cache.seal(Backend, OwnClient, Fernet(key))
        self.client = OwnClient()


KEY = new_key()


@pytest.fixture
def memcached() -> dict[str, Any]:
    return {}


def node(memcached: dict[str, Any], key: str = KEY) -> Any:
    return Node(memcached, key).backend


def test_nodes_read_what_another_has_written(memcached: dict[str, Any]) -> None:
    node(memcached).set("token", {"user": "u"})
    node(memcached).set_multi({"a": 1, "b": [2]})
    assert node(memcached).get("token") == {"user": "u"}
    assert node(memcached).get_multi(["a", "none", "b"]) == [1, NO_VALUE, [2]]


def test_nothing_of_a_value_can_be_read(memcached: dict[str, Any]) -> None:
    node(memcached).set("token", "user-name")
    assert b"user-name" not in memcached["sealed:token"]


class Payload:
    ran = False

    def __reduce__(self) -> Any:
        return setattr, (Payload, "ran", True)


@pytest.mark.parametrize("planted", [pickle.dumps(("token", Payload())), b"", b"text", "text", 3, None])
def test_what_was_planted_is_as_if_it_was_not_there(memcached: dict[str, Any], planted: Any) -> None:
    memcached["sealed:token"] = planted
    assert node(memcached).get("token") is NO_VALUE
    assert not Payload.ran


def test_what_was_sealed_for_another_name_is_not_taken(memcached: dict[str, Any]) -> None:
    """Else a copy of an administrator's entry would make anyone one."""
    node(memcached).set("administrator", "yes")
    memcached["sealed:somebody"] = memcached["sealed:administrator"]
    assert node(memcached).get("somebody") is NO_VALUE


def test_another_cloud_s_key_opens_nothing(memcached: dict[str, Any]) -> None:
    node(memcached).set("token", 1)
    assert node(memcached, new_key()).get("token") is NO_VALUE


def test_what_is_deleted_is_gone_for_all(memcached: dict[str, Any]) -> None:
    node(memcached).set_multi({"a": 1, "b": 2, "c": 3})
    node(memcached).delete("a")
    node(memcached).delete_multi(["b"])
    assert node(memcached).get_multi(["a", "b", "c"]) == [NO_VALUE, NO_VALUE, 3]


def test_a_node_that_does_not_seal_yet_finds_nothing_that_breaks_it(memcached: dict[str, Any]) -> None:
    node(memcached).set("token", 1)
    assert MemoryBackend({"cache_dict": memcached}).get("token") is NO_VALUE


def test_the_client_unpickles_nothing_itself() -> None:
    client = Node({}, KEY).client
    with pytest.raises(pickle.UnpicklingError):
        client.unpickler(io.BytesIO(pickle.dumps(1))).load()
    assert Client().unpickler is pickle.Unpickler, "only of the class that was sealed"

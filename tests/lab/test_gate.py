"""The VIP's gate in a real kernel, in a network namespace of its own: no lab."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fournines.agent import nftables
from fournines.agent.clock import now
from fournines.agent.guard import gate

VIPS = ("198.19.250.100", "198.19.251.100")
_CLONE_NEWNET = 0x40000000
Inside = Callable[[Callable[[], object]], object]


@pytest.fixture
def inside() -> Iterator[Inside]:
    """Runs what it is given in the namespace, where the gate is built and shut."""

    def enter() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    with ThreadPoolExecutor(1, initializer=enter) as thread:
        thread.submit(gate.build, VIPS).result()
        yield lambda act: thread.submit(act).result()


def granted() -> set[str]:
    return {socket.inet_ntoa(key[:4]) for key in nftables.keys(gate.TABLE, "granted")}


def test_a_grant_that_is_renewed_for_the_same_time_lasts(inside: Inside) -> None:
    """Kernels that update an element's timeout leave one alone whose timeout is the same."""

    def renewed() -> list[set[str]]:
        seen: list[set[str]] = []
        for _ in range(8):
            gate._open(VIPS, 0.25)  # pyright: ignore[reportPrivateUsage]
            time.sleep(0.1)
            seen.append(granted())
        return seen

    assert inside(renewed) == [set(VIPS)] * 8


def test_a_grant_ends_by_itself(inside: Inside) -> None:
    def ended() -> tuple[set[str], set[str]]:
        assert gate.grant(VIPS, now() + 0.2)
        before = granted()
        time.sleep(0.25)
        return before, granted()

    assert inside(ended) == (set(VIPS), set())


def test_what_is_revoked_is_shut_at_once(inside: Inside) -> None:
    def revoked() -> set[str]:
        gate.grant(VIPS, now() + 5)
        gate.revoke(VIPS[:1])
        gate.revoke(VIPS[:1])
        return granted()

    assert inside(revoked) == {VIPS[1]}


def test_a_grant_in_the_past_shuts_it(inside: Inside) -> None:
    def late() -> set[str]:
        gate.grant(VIPS, now() + 5)
        assert not gate.grant(VIPS, now() - 0.01)
        return granted()

    assert inside(late) == set()


def test_a_gate_that_is_built_again_keeps_what_is_granted(inside: Inside) -> None:
    def again() -> set[str]:
        gate.grant(VIPS, now() + 5)
        gate.build(VIPS)
        return granted()

    assert inside(again) == set(VIPS)

"""A part of a backup opens whole, or not at all."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fournines.operate import sealed

KEY = sealed.new_key()


def _seal(content: bytes, key: str = KEY, part: str = "database.one", cuts: int = 7) -> bytes:
    sealer = sealed.Sealer(key, part)
    step = max(1, len(content) // cuts)
    made = b"".join(sealer.update(content[i : i + step]) for i in range(0, len(content), step))
    return made + sealer.finish()


def _open(stream: bytes, key: str = KEY, part: str = "database.one") -> bytes:
    return b"".join(sealed.opened(key, part, (stream[i : i + 70_001] for i in range(0, len(stream), 70_001))))


@pytest.mark.parametrize(
    "size", [0, 1, sealed.CHUNK - 1, sealed.CHUNK, sealed.CHUNK + 1, 2 * sealed.CHUNK, 3 * sealed.CHUNK + 5]
)
def test_what_was_sealed_opens(size: int) -> None:
    content = random.Random(size).randbytes(size)
    stream = _seal(content)
    if size > 16:  # a single byte is in every stream of random bytes, sooner or later
        assert content[:40] not in stream
    assert _open(stream) == content


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_changed_byte_or_a_cut_is_noticed(data: st.DataObject) -> None:
    stream = _seal(random.Random(1).randbytes(sealed.CHUNK + 100))
    at = data.draw(st.integers(0, len(stream) - 1))
    changed = bytearray(stream)
    changed[at] ^= 1
    for broken in (bytes(changed), stream[:at], stream + b"x"):
        with pytest.raises(sealed.DamagedError):
            _open(broken)


def test_whole_chunks_cannot_be_left_out_or_swapped() -> None:
    head, size = len(sealed.MAGIC) + sealed.SALT, sealed.CHUNK + sealed.TAG
    stream = _seal(bytes(3 * sealed.CHUNK + 10))
    chunks = [stream[head + i * size : head + (i + 1) * size] for i in range(4)]
    for order in ([0, 1, 2], [0, 2, 3], [1, 0, 2, 3], [0, 1, 1, 2, 3]):
        with pytest.raises(sealed.DamagedError):
            _open(stream[:head] + b"".join(chunks[i] for i in order))


def test_another_key_or_another_part_does_not_open() -> None:
    stream = _seal(b"secret")
    with pytest.raises(sealed.DamagedError):
        _open(stream, key=sealed.new_key())
    with pytest.raises(sealed.DamagedError):
        _open(stream, part="state")


def test_two_backups_of_the_same_are_not_the_same() -> None:
    assert _seal(b"x") != _seal(b"x")

"""Encryption of a backup's parts, as streams: nothing of a part is believed before it is known to be whole up to there.

    MAGIC (8 bytes), salt (16), then chunks of CHUNK bytes of plain text, the last one shorter, or empty

Each chunk is AES-256-GCM under a key that HKDF-SHA256 derives from the backup key, the salt and the part's name; its
nonce is the chunk's number (11 bytes) and whether it is the last (1 byte): chunks that are missing, repeated, in
another order, of another part or of another backup do not open. The construction is STREAM's (Hoang, Reyhanitabar,
Rogaway, Vizár 2015), as age and Tink have it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"4nines\x00\x01"
CHUNK = 1 << 20
SALT = 16
TAG = 16


class DamagedError(ValueError):
    """What could not be opened: damaged, cut short, of another key, or of another part."""


def new_key() -> str:
    """256 random bits, in hexadecimal."""
    return secrets.token_hex(32)


def fingerprint(key: str) -> str:
    """Tells keys apart, and says nothing about them."""
    return hashlib.sha256(b"fournines backup key " + bytes.fromhex(key)).hexdigest()[:16]


def signature(key: str, text: bytes) -> str:
    """Of what is not secret, but must be ours."""
    return hmac.digest(bytes.fromhex(key), b"signature\0" + text, "sha256").hex()


class Sealer:
    """Makes the stream described above of what it is given. Holds CHUNK bytes in memory, and one piece."""

    def __init__(self, key: str, part: str) -> None:
        salt = secrets.token_bytes(SALT)
        self._cipher = _cipher(key, part, salt)
        self._waiting, self._number = bytearray(), 0
        self._head = MAGIC + salt

    def update(self, piece: bytes) -> bytes:
        """The next bytes of the stream, none perhaps."""
        made, self._head = bytearray(self._head), b""
        self._waiting += piece
        while len(self._waiting) > CHUNK:  # one chunk stays: it may be the last
            made += self._cipher.encrypt(_nonce(self._number, last=False), bytes(self._waiting[:CHUNK]), None)
            del self._waiting[:CHUNK]
            self._number += 1
        return bytes(made)

    def finish(self) -> bytes:
        """The end of the stream."""
        return self.update(b"") + self._cipher.encrypt(_nonce(self._number, last=True), bytes(self._waiting), None)


def opened(key: str, part: str, stream: Iterable[bytes]) -> Iterator[bytes]:
    """What a `Sealer` was given. Raises DamagedError, before it yields anything that is not authentic."""
    waiting, number = bytearray(), 0
    pieces = iter(stream)
    head = len(MAGIC) + SALT
    while len(waiting) < head:
        if (piece := next(pieces, None)) is None:
            raise DamagedError("it has no beginning")
        waiting += piece
    if bytes(waiting[: len(MAGIC)]) != MAGIC:
        raise DamagedError("it is no part of a backup")
    cipher = _cipher(key, part, bytes(waiting[len(MAGIC) : head]))
    del waiting[:head]
    for piece in pieces:
        waiting += piece
        while len(waiting) > CHUNK + TAG:
            yield _open(cipher, number, bytes(waiting[: CHUNK + TAG]), last=False)
            del waiting[: CHUNK + TAG]
            number += 1
    yield _open(cipher, number, bytes(waiting), last=True)


def _open(cipher: AESGCM, number: int, chunk: bytes, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, last=last), chunk, None)
    except (InvalidTag, ValueError):
        raise DamagedError(
            f"chunk {number} of 1 MiB is damaged, or the rest is missing, or the key is another"
        ) from None


def _cipher(key: str, part: str, salt: bytes) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt, b"fournines backup part " + part.encode()).derive(bytes.fromhex(key))
    return AESGCM(derived)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])

"""Host ranges `cmp[001-100]` and the addresses that count along with them: `198.18.0.101+`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from itertools import product

#: Of a cloud. A range is written in five characters: a slip of the finger must not fill the memory.
MOST_HOSTS = 100_000

_RANGE = re.compile(r"\[([0-9]{1,9})-([0-9]{1,9})\]")
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def expand(pattern: str) -> list[str]:
    """`cmp[09-11]` → cmp09, cmp10, cmp11. Several ranges multiply, the last one runs fastest.

    Raises ValueError with what is wrong with the range or with the names it gives (RFC 1123 labels, lower case).
    """
    count = size(pattern)
    if count > MOST_HOSTS:
        raise ValueError(f"{pattern} stands for {count:,} hosts; at most {MOST_HOSTS:,} fit one entry")
    words, bounds = _parts(pattern)
    names = ["".join(_interleave(words, numbers)) for numbers in product(*(_count(*b) for b in bounds))]
    for name in (names[0], names[-1]):  # every name in between has the same letters and no other length
        if not _HOST.fullmatch(name):
            raise ValueError(
                f"{name} is not a host name: up to 63 lower-case letters, digits and dashes, no dash at either end"
            )
    return names


def size(pattern: str) -> int:
    """How many hosts it stands for. Raises ValueError: a range runs backwards."""
    count = 1
    for low, high in _parts(pattern)[1]:
        if int(low) > int(high):
            raise ValueError(f"the range [{low}-{high}] runs backwards")
        count *= int(high) - int(low) + 1
    return count


def _parts(pattern: str) -> tuple[list[str], list[tuple[str, str]]]:
    """What stands around the ranges, and their bounds."""
    pieces = _RANGE.split(pattern)
    return pieces[::3], list(zip(pieces[1::3], pieces[2::3], strict=True))


def _count(low: str, high: str) -> list[str]:
    width = len(low) if low.startswith("0") else 0
    return [str(n).zfill(width) for n in range(int(low), int(high) + 1)]


def _interleave(words: list[str], numbers: tuple[str, ...]) -> Iterator[str]:
    for word, number in zip(words, (*numbers, ""), strict=True):
        yield word + number


@dataclass(frozen=True, slots=True)
class Start:
    """The address of the first host of an entry. `counts`: written with `+`, each further host has the next one."""

    first: IPv4Address
    counts: bool = False

    @classmethod
    def parse(cls, text: str) -> Start:
        """Raises ValueError."""
        try:
            return cls(IPv4Address(text.removesuffix("+")), text.endswith("+"))
        except AddressValueError:
            raise ValueError(
                f"{text!r} is not an IPv4 address such as 198.18.0.11, or 198.18.0.101+ to count"
            ) from None

    def take(self, count: int, network: IPv4Network) -> list[IPv4Address]:
        """`count` addresses. Raises ValueError unless all of them are host addresses of `network`."""
        if count > 1 and not self.counts:
            raise ValueError(f"{count} hosts cannot share {self.first}; write {self.first}+ to count up from it")
        last = int(self.first) + count - 1
        for number in (int(self.first), last):
            if not int(network.network_address) <= number <= int(network.broadcast_address):
                shown = IPv4Address(number) if number < 2**32 else f"{self.first} + {count - 1}"
                raise ValueError(f"{shown} is outside {network}")
        if network.prefixlen < 31:
            if self.first == network.network_address:
                raise ValueError(f"{self.first} is the address of the network {network} itself")
            if last == int(network.broadcast_address):
                raise ValueError(f"{network.broadcast_address} is the broadcast address of {network}")
        return [IPv4Address(n) for n in range(int(self.first), last + 1)]

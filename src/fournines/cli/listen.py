"""ADDRESS:PORT of an option."""

from __future__ import annotations

from fournines.errors import UsageError


def where(option: str, text: str, example: str) -> tuple[str, int]:
    """Raises UsageError. `[::1]:8440` is an address of IPv6."""
    address, _, port = text.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    if not address or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"{option} {text} is not ADDRESS:PORT", next=f"{option} {example}")
    return address, int(port)

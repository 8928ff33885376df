"""A cloud without a flaw, and a second region for it; `check` on variations of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fournines.design import Finding, check_file

SOUND = """\
cloud: acme
regions:
  phx:
    vips: {internal: 198.18.0.100, public: 198.18.1.100}
    networks: {management: 198.18.0.0/24, public: 198.18.1.0/24}
    zones:
      rack1: {power: pdu-a, switch: tor-1}
      rack2: {power: pdu-b, switch: tor-2}
      rack3: {power: pdu-c, switch: tor-3}
    hosts:
      ctl1: {zone: rack1, address: 198.18.0.11, roles: [controller]}
      ctl2: {zone: rack2, address: 198.18.0.12, roles: [controller]}
      ctl3: {zone: rack3, address: 198.18.0.13, roles: [controller]}
"""
SECOND = """\
  tus:
    vips: {internal: 198.18.4.100, public: 198.18.5.100}
    networks: {management: 198.18.4.0/24, public: 198.18.5.0/24}
    zones: {r1: {power: a, switch: s1}, r2: {power: b, switch: s2}, r3: {power: c, switch: s3}}
    hosts:
      tus1: {zone: r1, address: 198.18.4.11, roles: [controller]}
      tus2: {zone: r2, address: 198.18.4.12, roles: [controller]}
      tus3: {zone: r3, address: 198.18.4.13, roles: [controller]}
"""

#: Replacements, then `after`: text to append.
Check = Callable[..., list[Finding]]


def checker(path: Path) -> Check:
    """Findings of the sound cloud with replacements and `after` appended, written to `path`."""

    def check(*changes: tuple[str, str], after: str = "") -> list[Finding]:
        text = SOUND
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text + after)
        return list(check_file(path)[1])

    return check


def brief(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.rule, f.severity, f"{f.line}:{f.column} {f.path}") for f in found]

"""What an upgrade would do, or what is left of it, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.commands.upgrade import Upgrading
from fournines.operate import release
from fournines.operate.upgrade import Move
from fournines.plan.render import folded


def question(found: Upgrading) -> str:
    if found.release:
        return f"Go to {found.release.name}? No host that has changed goes back."
    return "Upgrade?"


def lines(found: Upgrading) -> Iterator[str]:
    """What would happen, or what is left of it. A change of release changes nearly all packages: what services declare
    is shown, the others are counted."""
    if found.release:
        yield from release.sentences(found.cloud, found.begins, found.lasts_left)
    others = 0
    for (name, old, new), hosts in _changes(found).items():
        if found.release and new and name not in found.declared:
            others += 1
        else:
            yield f"{name}  {old or 'absent'} → {new or 'removed'}  [{folded(tuple(hosts))}]"
    if others:
        yield f"{others} other packages"
    for unit, hosts in _restarts(found).items():
        yield f"restart {unit}  [{folded(tuple(hosts))}]"
    if not (found.moves or found.later):
        yield _nothing(found)
        return
    if found.moves:
        yield f"in this order: {_order(found.moves)}"
    if found.later:
        yield f"then held, until --continue: {_order(found.later)}"


def _nothing(found: Upgrading) -> str:
    if found.release:
        return (
            f"every host has {found.release.name}: what is left is {'the last part' if found.lasts_left else 'the end'}"
        )
    return "Nothing to upgrade." if found.empty else "Nothing to upgrade; the lock of versions is written."


def _changes(found: Upgrading) -> dict[tuple[str, str, str], list[str]]:
    by_change: dict[tuple[str, str, str], list[str]] = {}
    for host, made in found.prepared.items():
        for change in made.changes:
            by_change.setdefault(change, []).append(host)
    return dict(sorted(by_change.items()))


def _restarts(found: Upgrading) -> dict[str, list[str]]:
    by_unit: dict[str, list[str]] = {}
    for host, made in found.prepared.items():
        for unit in made.restarts:
            by_unit.setdefault(unit, []).append(host)
    return by_unit


def _order(moves: tuple[Move, ...]) -> str:
    return ", ".join(
        f"{folded(tuple(h.name for h in move.hosts))} (zone {move.zone}{', drained' if move.drained else ''})"
        for move in moves
    )

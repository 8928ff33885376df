"""Faults struck together, seen, held and healed; and the note of what is still to heal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fournines.cloud.model import Cloud, Host
from fournines.errors import ProveError
from fournines.prove.faults.catalogue import CATALOGUE
from fournines.prove.faults.powers import Powers
from fournines.prove.faults.strike import Strike
from fournines.prove.faults.target import candidates
from fournines.prove.model import THEN, Fault

#: A host whose port was just joined, or whose power is just back, may not be reached at once.
HEAL_TRIES = 5
HEAL_AGAIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Aimed:
    """A single fault and the hosts that its target means."""

    fault: Fault
    hosts: tuple[str, ...]


def strikable(fault: Fault, cloud: Cloud, region: str) -> tuple[Host, ...]:
    return candidates(fault, cloud, region, CATALOGUE[fault.name].carrier)


def lacking(by: Powers, fault: Fault) -> str:
    """Why `fault` cannot be injected here, "" if it can."""
    return next(filter(None, (CATALOGUE[f.name].lacking(by) for f in fault.singles)), "")


class Injection:
    """All of `aimed` at once: what is struck over a host's own transport first, what is struck from outside last.

    `note`: the file that says what is still to heal, for as long as anything is.
    """

    def __init__(self, by: Powers, aimed: Sequence[Aimed], note: Path) -> None:
        strikes = [CATALOGUE[a.fault.name](by, a.fault, a.hosts) for a in aimed]
        self._strikes = sorted(strikes, key=lambda s: s.outside)
        self._aimed = tuple(aimed)
        self._note = note

    async def prepare(self) -> None:
        """All that comes before the moment of the strike. Raises FourninesError when there is nothing to strike."""
        write_note(self._note, self._aimed)
        for strike in self._strikes:
            await strike.prepare()
            await strike.look()

    async def strike(self) -> None:
        """Raises the first FourninesError; what was struck is for `heal`."""
        for strike in self._strikes:
            await strike.strike()

    async def verify(self) -> tuple[str, ...]:
        """What was seen from outside. Raises FourninesError when a strike was not seen."""
        seen = await asyncio.gather(*(strike.verify() for strike in self._strikes))
        return tuple(line for lines in seen for line in lines)

    async def hold(self) -> tuple[str, ...]:
        """Until all have lasted; each but those that last longest is healed when it has. What was measured."""
        measured: list[str] = []
        holds = [asyncio.create_task(strike.hold()) for strike in self._strikes]
        longest = max(strike.fault.duration for strike in self._strikes)
        try:
            for strike, hold in sorted(zip(self._strikes, holds, strict=True), key=lambda x: x[0].fault.duration):
                measured += await hold
                if strike.fault.duration < longest:
                    await strike.heal()  # what remains is healed at the end, and said then
        finally:
            for hold in holds:
                hold.cancel()
        return tuple(measured)

    async def heal(self) -> tuple[str, ...]:
        """What could not be healed, one line each; the note stays until all is."""
        unhealed = await _heal(list(reversed(self._strikes)))
        if not unhealed:
            self._note.unlink(missing_ok=True)
        return unhealed


async def _heal(strikes: Sequence[Strike]) -> tuple[str, ...]:
    """One after the other: what was struck from outside keeps the rest from being reached."""
    left = list(strikes)
    said: dict[Strike, tuple[str, ...]] = {}
    for attempt in range(HEAL_TRIES):
        if attempt:
            await asyncio.sleep(HEAL_AGAIN_S)
        for strike in tuple(left):
            said[strike] = await strike.heal()
            if not said[strike]:
                left.remove(strike)
        if not left:
            return ()
    return tuple(line for strike in left for line in said[strike])


def note(state: Path) -> Path:
    return state / "unhealed.json"


def write_note(path: Path, aimed: Sequence[Aimed]) -> None:
    """Whole or not at all: it is read after a crash."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(a) for a in aimed]))
    partial.replace(path)


async def heal_leftovers(by: Powers, state: Path) -> tuple[str, ...]:
    """Heals what a killed campaign left, and removes its note. The hosts that it healed; () when nothing was left.

    Raises ProveError, and leaves the note, when it cannot be read or something cannot be healed.
    """
    path = note(state)
    try:
        aimed = [Aimed(Fault(**a["fault"]), tuple(a["hosts"])) for a in json.loads(path.read_text())]
        injection = Injection(by, aimed, path)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProveError(
            "an earlier run left something to heal, and its note cannot be read",
            where=str(path),
            why=f"{type(error).__name__}: {error}",
            next="see with `fournines status` and `fournines lab status` what is off, frozen or cut, "
            "put it right, then remove the file",
        ) from error
    unhealed = await injection.heal()
    if unhealed:
        raise ProveError(
            "what an earlier run left could not be healed",
            where=str(path),
            why="; ".join(unhealed),
            next="put it right and run this again: the note stays until all is healed",
        )
    return tuple(dict.fromkeys(host for a in aimed for host in a.hosts))


def steps(fault: Fault) -> tuple[tuple[Fault, ...], ...]:
    """What strikes together, and what only strikes once the one before it is healed."""
    return tuple((part,) for part in fault.parts) if fault.name == THEN else (fault.singles,)

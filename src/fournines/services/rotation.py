"""How something secret is changed for another with nothing failing, in three phases that all rotations share:

- `accept`: whoever checks it takes the new one too;
- `use`: whoever shows it shows the new one;
- `drop`: whoever checks it no longer takes the old one.

Each is a change of the cloud's secrets, so what a phase needs of the hosts is a plan like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from fournines.cloud.model import Cloud
from fournines.cloud.secrets import new_password

Phase = Literal["accept", "use", "drop"]
PHASES: tuple[Phase, ...] = ("accept", "use", "drop")


class Rotation(Protocol):
    """does: completes "Rotates …". cost: what it costs; "": nobody notices. `all` leaves out what costs something."""

    @property
    def does(self) -> str: ...
    @property
    def cost(self) -> str: ...
    def change(self, cloud: Cloud, phase: Phase, now: float) -> None:
        """Brings the cloud's secrets, not yet saved, from the phase before to `phase`. now: seconds since the epoch.
        Called once for each phase, in their order."""
        ...


@runtime_checkable
class Rotates(Protocol):
    """A service that has something to rotate."""

    def rotations(self) -> Mapping[str, Rotation]:
        """Name, as `fournines rotate` takes it -> how."""
        ...


@dataclass(frozen=True)
class TwoValid:
    """Secrets of which those who check them take two meanwhile. names: of the secrets, in a cloud."""

    does: str
    names: Callable[[Cloud], Iterable[str]]
    generate: Callable[[], str] = new_password
    cost: str = ""

    def change(self, cloud: Cloud, phase: Phase, now: float) -> None:
        secrets = cloud.secrets
        for name in dict.fromkeys(self.names(cloud)):
            if phase == "accept":
                secrets.offer(name, self.generate())
            elif secrets.other(name) is not None:  # None: it came to be after the rotation had begun
                secrets.swap(name) if phase == "use" else secrets.drop(name)


@dataclass(frozen=True)
class AtOnce:
    """What changes in phase `use` alone. replace: does so, in the cloud's secrets at a time."""

    does: str
    replace: Callable[[Cloud, float], None]
    cost: str = ""

    def change(self, cloud: Cloud, phase: Phase, now: float) -> None:
        if phase == "use":
            self.replace(cloud, now)

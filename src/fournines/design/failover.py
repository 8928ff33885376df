"""What a switch from one copy to the next costs: a Markov chain for each service of which one copy does the work.

State: how many copies are up, and whether the group serves, switches, or is stuck until a person comes. The copy that
does the work fails at the rate of all that it stands on; then the group switches, which succeeds by itself with
probability `coverage`. What the chain loses beyond "too few copies" (which `exact` counts, common causes included) is
the cost of switching.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fournines.design.exact import tail
from fournines.design.markov import Chain, explore

Mode = Literal["serves", "switches", "stuck"]
State = tuple[int, Mode]


@dataclass(frozen=True)
class Switching:
    """A group of `copies`, of which `least` must be up and one does the work.

    fail, repair: rates of one copy. seconds: a switch. coverage: share of switches that work by themselves; the others
    take `manual` seconds. Rates a second.
    """

    copies: int
    least: int
    fail: float
    repair: float
    seconds: float
    coverage: float
    manual: float

    def chain(self) -> Chain[State]:
        return explore((self.copies, "serves"), self._moves)

    def unavailability(self) -> float:
        chain = self.chain()
        shares = zip(chain.steady(), chain.states, strict=True)
        return float(sum(p for p, (up, mode) in shares if mode != "serves" or up < self.least))

    def cost(self) -> float:
        """Unavailability beyond that of too few copies."""
        up = self.repair / (self.fail + self.repair)
        return max(0.0, self.unavailability() - (1.0 - tail(self.copies, self.least, up)))

    def _moves(self, state: State) -> Iterable[tuple[float, State]]:
        up, mode = state
        if up < self.copies:
            yield (self.copies - up) * self.repair, (up + 1, mode)
        if up == 0:
            return
        if mode == "serves" and up >= self.least:
            yield self.coverage * self.fail, (up - 1, "switches")
            yield (1 - self.coverage) * self.fail, (up - 1, "stuck")
            yield (up - 1) * self.fail, (up - 1, "serves")
        else:
            yield up * self.fail, (up - 1, mode)
        if mode != "serves":
            yield 1 / (self.seconds if mode == "switches" else self.manual), (up, "serves")

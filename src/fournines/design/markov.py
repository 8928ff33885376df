"""Continuous-time Markov chains: states explored from a first one, steady state, state probabilities after a time.

Steady state of small chains by Grassmann, Taksar and Heyman's elimination (Operations Research 33, 1985), which never
subtracts: an unavailability of 1e-12 has as many correct digits as one of 0.1. Large ones by sparse LU.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from fournines.errors import UsageError

S = TypeVar("S", bound=Hashable)
Vector = NDArray[np.float64]

#: Above this many states the elimination's cube of them takes longer than sparse LU.
_DENSE = 600
#: A chain above this is refused: it would not fit a laptop's memory once factorised.
MOST_STATES = 200_000


@dataclass(frozen=True)
class Chain(Generic[S]):
    """`sources[i]` to `targets[i]` at `rates[i]` (per unit of time); state 0 is the first."""

    states: tuple[S, ...]
    sources: Sequence[int]
    targets: Sequence[int]
    rates: Sequence[float]

    def generator(self) -> Any:
        """scipy's sparse matrix: rates between states, and on the diagonal what makes each row sum to zero."""
        from scipy import sparse

        n = len(self.states)
        at = (np.asarray(self.sources), np.asarray(self.targets))
        q: Any = sparse.csc_array((np.asarray(self.rates), at), shape=(n, n))
        return q - cast(Any, sparse).diags_array(q.sum(axis=1))

    def steady(self) -> Vector:
        """Share of time in each state. The chain must be able to return to every state."""
        if len(self.states) == 1:
            return np.ones(1)
        return _eliminate(self._dense()) if len(self.states) <= _DENSE else _factorise(self.generator())

    def after(self, time: float) -> Vector:
        """Probability of each state `time` after the first was entered."""
        from scipy.sparse import linalg

        start = np.zeros(len(self.states))
        start[0] = 1.0
        generator = self.generator()
        return cast(Any, linalg).expm_multiply(generator.T.tocsc() * time, start, traceA=generator.trace() * time)

    def _dense(self) -> Vector:
        q = np.zeros((len(self.states), len(self.states)))
        np.add.at(q, (np.asarray(self.sources, dtype=np.intp), np.asarray(self.targets, dtype=np.intp)), self.rates)
        return q


def explore(first: S, moves: Callable[[S], Iterable[tuple[float, S]]]) -> Chain[S]:
    """Every state that can be reached. Raises UsageError when there are too many."""
    number: dict[S, int] = {first: 0}
    todo, sources, targets, rates = [first], list[int](), list[int](), list[float]()
    while todo:
        state = todo.pop()
        for rate, other in moves(state):
            if rate <= 0 or other == state:
                continue
            if other not in number:
                if len(number) == MOST_STATES:
                    raise UsageError(f"the model has more than {MOST_STATES:,} states", next="fewer or smaller groups")
                number[other] = len(number)
                todo.append(other)
            sources.append(number[state])
            targets.append(number[other])
            rates.append(rate)
    return Chain(tuple(number), sources, targets, rates)


def _eliminate(q: Vector) -> Vector:
    n = len(q)
    for k in range(n - 1, 0, -1):
        q[:k, k] /= q[k, :k].sum()
        q[:k, :k] += np.outer(q[:k, k], q[k, :k])
        np.fill_diagonal(q, 0.0)
    pi = np.zeros(n)
    pi[0] = 1.0
    for k in range(1, n):
        pi[k] = pi[:k] @ q[:k, k]
    return pi / pi.sum()


def _factorise(generator: Any) -> Vector:
    """The balance equations, the first of them replaced by "the shares sum to one"."""
    from scipy.sparse import lil_array, linalg

    balance: Any = lil_array(generator.T)
    balance[0, :] = 1.0
    right = np.zeros(balance.shape[0])
    right[0] = 1.0
    return cast(Any, linalg).splu(balance.tocsc()).solve(right)

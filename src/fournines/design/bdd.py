"""Binary decision diagrams: the exact probability of a Boolean function of independent events, and its derivatives.

A thin layer over package `dd`, pure Python part. Nodes are its integers: negative is the complement, 1 is true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

#: Condition, then, otherwise.
_Choice = tuple[int, int, int]


def _decided(condition: int, then: int, otherwise: int) -> int | None:
    """Where no variable has to be looked at."""
    if abs(condition) == 1:
        return then if condition == 1 else otherwise
    if then == otherwise:
        return then
    if abs(then) == 1 and otherwise == -then:
        return condition * then
    return None


class Diagram:
    """Variables in the order in which decisions are taken. Sizes, and so times, depend on that order alone."""

    TRUE, FALSE = 1, -1

    def __init__(self, variables: Sequence[str]) -> None:
        from dd.bdd import BDD  # pyright: ignore[reportMissingTypeStubs]

        self._bdd: Any = cast(Any, BDD)({name: level for level, name in enumerate(variables)})
        self._bdd.configure(reordering=False)
        self._variables = tuple(variables)
        self._chosen: dict[_Choice, int] = {}

    def variable(self, name: str) -> int:
        return self._bdd.var(name)

    def choose(self, condition: int, then: int, otherwise: int) -> int:
        """`then` where `condition` is true, else `otherwise`. Without recursion, as deep as there are variables."""
        first = (condition, then, otherwise)
        made, decided = self._chosen, _decided
        todo = [first]
        while todo:
            wanted = todo[-1]
            if wanted in made:
                todo.pop()
                continue
            if (node := decided(*wanted)) is None:
                level, lows, highs = self._halves(wanted)
                low, high = made.get(lows), made.get(highs)
                if low is None or high is None:
                    todo += [half for half, node in ((lows, low), (highs, high)) if node is None]
                    continue
                node = self._bdd.find_or_add(level, low, high)
            made[wanted] = node
            todo.pop()
        return made[first]

    def _halves(self, nodes: _Choice) -> tuple[int, _Choice, _Choice]:
        """The first variable's level of all `nodes`, and what they are where it is false, and where it is true."""
        below = [self._below(n) for n in nodes]
        level = min(b[0] for b in below)
        lows: list[int] = []
        highs: list[int] = []
        for node, (own, low, high) in zip(nodes, below, strict=True):
            sign = 1 if node > 0 else -1
            lows.append(sign * low if own == level else node)
            highs.append(sign * high if own == level else node)
        return level, (lows[0], lows[1], lows[2]), (highs[0], highs[1], highs[2])

    def every(self, nodes: Iterable[int]) -> int:
        """True while all of `nodes` are."""
        result = self.TRUE
        for node in nodes:
            result = self.choose(node, result, self.FALSE)
        return result

    def some(self, nodes: Iterable[int]) -> int:
        return -self.every(-n for n in nodes)

    def at_least(self, least: int, nodes: Sequence[int]) -> int:
        row = [self.TRUE if count >= least else self.FALSE for count in range(len(nodes) + 1)]
        return self.count(nodes, row)

    def count(self, nodes: Sequence[int], outcomes: Sequence[int]) -> int:
        """`outcomes[n]` where exactly n of `nodes` are true."""
        row = list(outcomes)
        for node in reversed(nodes):
            row = [self.choose(node, row[n + 1], row[n]) for n in range(len(row) - 1)]
        return row[0]

    def solutions(self, root: int, most: int) -> set[frozenset[str]]:
        """Of a function that no variable makes false by being true: the sets of at most `most` variables that make it
        true, all minimal ones among them (A. Rauzy, Reliability Engineering and System Safety 40, 1993)."""
        found: dict[int, set[frozenset[str]]] = {self.TRUE: {frozenset()}, self.FALSE: set()}
        below, uses = self._signed_below(root)
        for node in sorted(below, key=lambda n: -self._below(n)[0]):
            low, high = below[node]
            without, variable = found[low], {self._variables[self._below(node)[0]]}
            own = {s | variable for s in found[high] if len(s) < most and not any(o <= s for o in without)}
            found[node] = without | own
            for child in (low, high):  # what nothing asks for any more would be the square of a long chain
                uses[child] -= 1
                if not uses[child] and abs(child) != 1:
                    del found[child]
        return found[root]

    def _signed_below(self, root: int) -> tuple[dict[int, tuple[int, int]], Counter[int]]:
        """(low, high) of every inner node below `root`, complemented where it is; how often each is referred to."""
        below: dict[int, tuple[int, int]] = {}
        uses: Counter[int] = Counter()
        todo = [root]
        while todo:
            node = todo.pop()
            if abs(node) == 1 or node in below:
                continue
            _, low, high = self._below(node)
            below[node] = (low, high) if node > 0 else (-low, -high)
            uses.update(below[node])
            todo += below[node]
        return below, uses

    def size(self, root: int) -> int:
        return len(self._reachable(root))

    def probability(self, root: int, p: Mapping[str, float]) -> float:
        return self._signed(root, self._values(root, p))

    def gradient(self, root: int, p: Mapping[str, float]) -> tuple[float, dict[str, float]]:
        """The probability, and its derivative by that of each variable; what it does not depend on is absent."""
        values = self._values(root, p)
        weight: dict[int, float] = dict.fromkeys(values, 0.0)
        weight[abs(root)] = 1.0 if root > 0 else -1.0
        slopes: dict[str, float] = {}
        for node in self._reachable(root):
            level, low, high = self._below(node)
            name, w = self._variables[level], weight[node]
            slopes[name] = slopes.get(name, 0.0) + w * (self._signed(high, values) - self._signed(low, values))
            for child, share in ((high, p[name]), (low, 1 - p[name])):
                weight[abs(child)] += w * share * (1 if child > 0 else -1)
        return self._signed(root, values), slopes

    def _values(self, root: int, p: Mapping[str, float]) -> dict[int, float]:
        values: dict[int, float] = {1: 1.0}
        for node in reversed(self._reachable(root)):
            level, low, high = self._below(node)
            chance = p[self._variables[level]]
            values[node] = chance * self._signed(high, values) + (1 - chance) * self._signed(low, values)
        return values

    @staticmethod
    def _signed(node: int, values: Mapping[int, float]) -> float:
        return values[node] if node > 0 else 1.0 - values[-node]

    def _below(self, node: int) -> tuple[int, int, int]:
        """Level of its variable, where that is false, where it is true."""
        return self._bdd.succ(node)

    def _reachable(self, root: int) -> list[int]:
        """Inner nodes, each before all below it."""
        seen: dict[int, int] = {}
        todo = [abs(root)]
        while todo:
            node = todo.pop()
            if node != 1 and node not in seen:
                level, low, high = self._below(node)
                seen[node] = level
                todo += (abs(low), abs(high))
        return sorted(seen, key=seen.__getitem__)

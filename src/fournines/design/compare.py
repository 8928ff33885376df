"""Two designs side by side: what each function is worth in them, what stops it, what they cost in hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fournines.cloud.model import Cloud
from fournines.design.availability import Availability, availability
from fournines.design.capacity import Limit, capacity
from fournines.design.condition import Condition
from fournines.design.cutsets import MOST, CutSets
from fournines.design.derive import conditions
from fournines.design.reliability import DEFAULTS, MINUTES_A_YEAR, Reliability, spell
from fournines.design.switches import Observed
from fournines.services import registry
from fournines.services.service import HaPattern
from fournines.timing import timers


@dataclass(frozen=True)
class Row:
    """One figure of both; `better`: which of the two, where one is. `group` is a heading."""

    group: str
    name: str
    one: str
    other: str
    better: str = ""


@dataclass(frozen=True)
class Comparison:
    one: str
    other: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Side:
    cloud: Cloud
    conditions: tuple[Condition, ...]
    availability: tuple[Availability, ...]
    cuts: Counter[int]
    causes: tuple[str, ...]

    @classmethod
    def of(cls, cloud: Cloud, observed: Sequence[Observed]) -> _Side:
        found = conditions(cloud)
        cut_sets = CutSets(Reliability.of(cloud))
        sets = {cut.keys: cut for c in found if not c.missing for cut in cut_sets.of(c)}
        inside = [c for c in sets.values() if c.components[0].kind not in ("region", "network")]
        alone = tuple(str(c.components[0]) for c in inside if len(c.components) == 1)
        return cls(
            cloud,
            found,
            availability(cloud, found, observed, importance=False),
            Counter(len(c.components) for c in inside),
            alone,
        )

    def worst(self) -> dict[str, Availability]:
        """Of each function, in the region where it is worst."""
        found: dict[str, Availability] = {}
        for a in self.availability:
            if a.function not in found or a.availability < found[a.function].availability:
                found[a.function] = a
        return found


def compare(one: Cloud, other: Cloud, observed: tuple[Sequence[Observed], Sequence[Observed]] = ((), ())) -> Comparison:
    sides = _Side.of(one, observed[0]), _Side.of(other, observed[1])
    rows = (*_hosts(*sides), *_functions(*sides), *_cuts(*sides), *_limits(*sides), *_choices(*sides))
    names = (str(one.source.name), str(other.source.name))
    return Comparison(*names, rows)


def _row(group: str, name: str, values: Sequence[float], form: str, *, least: float = 0.0) -> Row:
    """Lower is better, by more than `least`."""
    one, other = values
    better = "" if abs(one - other) <= least else "one" if one < other else "other"
    return Row(group, name, format(one, form), format(other, form), better)


def _hosts(one: _Side, other: _Side) -> Iterator[Row]:
    group = "Cost"
    yield _row(group, "hosts", [len(s.cloud.hosts) for s in (one, other)], ",")
    control = [sum(_shared(h.services) for h in s.cloud.hosts) for s in (one, other)]
    yield _row(group, "of these, hosts that carry more than what every host does", control, ",")
    zones = [len({(h.region, h.zone.name) for h in s.cloud.hosts}) for s in (one, other)]
    yield Row(group, "zones in use", *(str(z) for z in zones))
    feeds = [len({(h.region, h.zone.power) for h in s.cloud.hosts} - {("", "")}) for s in (one, other)]
    yield Row(group, "power feeds in use", *(str(f) for f in feeds))


def _shared(services: Iterable[str]) -> bool:
    known = registry()
    return any(known[s].pattern is not HaPattern.PER_HOST for s in services)


def _functions(one: _Side, other: _Side) -> Iterator[Row]:
    ones, others = one.worst(), other.worst()
    group = "Minutes a year without (in the worst region)"
    for name in dict.fromkeys((*ones, *others)):
        a, b = ones.get(name), others.get(name)
        if a and b:
            yield _row(group, name, (a.minutes, b.minutes), ".2f", least=0.005)
        else:
            yield Row(group, name, *(f"{x.minutes:.2f}" if x else "not there" for x in (a, b)))
    for name in (n for n in ones if n in others):
        lost = [(1 - x.static) * MINUTES_A_YEAR for x in (ones[name], others[name])]
        yield _row("Of that, too few copies", name, lost, ".2f", least=0.005)


def _cuts(one: _Side, other: _Side) -> Iterator[Row]:
    group = "Smallest sets of losses that stop a function (region and networks aside)"
    for order in range(1, MOST + 1):
        yield _row(group, f"of {order}", (one.cuts[order], other.cuts[order]), ",")
    if one.causes or other.causes:
        yield Row(group, "single points of failure", *(", ".join(s.causes) or "none" for s in (one, other)))


def _limits(one: _Side, other: _Side) -> Iterator[Row]:
    group = "Limits (of the region that carries least)"
    firsts = [min((c.first for c in capacity(s.cloud) if c.first), key=lambda x: x.reached or 0) for s in (one, other)]
    one_of, other_of = (f"{x.reached:,}" for x in firsts)
    yield Row(group, "hypervisors until the first is met", one_of, other_of, _higher(firsts))
    yield Row(group, "which", firsts[0].name, firsts[1].name)


def _higher(firsts: Sequence[Limit]) -> str:
    one, other = (x.reached or 0 for x in firsts)
    return "" if one == other else "one" if one > other else "other"


def _choices(one: _Side, other: _Side) -> Iterator[Row]:
    """What the files decide differently."""
    pairs = {
        "services": tuple(", ".join(sorted({x for h in s.cloud.hosts for x in h.services})) for s in (one, other)),
        "timing": tuple(s.cloud.timing.profile for s in (one, other)),
        "release": (one.cloud.release, other.cloud.release),
        **{
            f"pattern of {k}": (str(v), str(getattr(other.cloud.pattern, k)))
            for k, v in vars(one.cloud.pattern).items()
        },
    }
    for name, (a, b) in pairs.items():
        if a != b:
            yield Row("Choices", name, a, b)
    t1, t2 = timers(one.cloud), timers(other.cloud)
    for name, what in (("vrrp_advert", "VRRP advert, s"), ("evs_suspect", "Galera suspects after, s"),
                       ("check_inter", "HAProxy checks every, s")):  # fmt: skip
        a, b = getattr(t1, name), getattr(t2, name)
        if a != b:
            yield Row("Choices", what, f"{a:g}", f"{b:g}")
    r1, r2 = (Reliability.of(s.cloud) for s in (one, other))
    names = dict.fromkeys(f.name for r, s in ((r1, one), (r2, other)) for f in r.used(s.conditions))
    for name in names:
        f1, f2 = (r.own.get(name) or DEFAULTS.get(name, DEFAULTS["process"]) for r in (r1, r2))
        if (f1.mttf, f1.mttr) != (f2.mttf, f2.mttr):
            texts = (f"after {spell(f.mttf)}, for {spell(f.mttr)}" for f in (f1, f2))
            yield Row("Choices", f"{name} fails", *texts)

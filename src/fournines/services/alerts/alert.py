"""What an alert rule is, and the series by which it is shown to fire and to resolve."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fournines.cloud.model import Cloud, Region

Severity = Literal["critical", "warning", "none"]
#: Seconds between two evaluations, and between two scrapes of what the quickest rules look at.
SCRAPE = 5
#: Seconds between two scrapes of what changes slowly.
SLOW_SCRAPE = 15
DAY = 86_400


@dataclass(frozen=True)
class Line:
    """A series' values: it begins at `level`, and grows by `slope` with each scrape."""

    level: float
    slope: float = 0.0


_Values = float | Line | None


@dataclass(frozen=True)
class Sample:
    """One series of a region, as it is while all is well, and while the alert's fault lasts; None: it is not there.

    A counter (`healthy.slope`, or `faulty.slope`) goes on from where it was: then `faulty.level` is a step."""

    series: str
    healthy: Line | None
    faulty: Line | None


@dataclass(frozen=True, kw_only=True)
class Alert:
    """expr: PromQL. wait: seconds for which it must hold. means, run: for people; `run` is a command or two. samples:
    series by which it is shown to fire and to resolve."""

    name: str
    expr: str
    wait: int
    severity: Severity
    summary: str
    means: str
    run: str
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Scope:
    """A region's series, among those of other regions and clouds that the same Prometheus may have."""

    cloud: Cloud
    region: Region

    def __call__(self, metric: str, *matchers: str, **labels: str) -> str:
        """`metric` with its region's labels, `labels`, and `matchers` such as `job=~"node|agent"`."""
        every = {"cloud": self.cloud.name, "region": self.region.name, **labels}
        said = [f'{name}="{value}"' for name, value in every.items()]
        return f"{metric}{{{','.join([*said, *matchers])}}}"

    def hosts(self, service: str) -> list[str]:
        return [h.name for h in self.cloud.hosts_of(service, self.region.name)]

    def up(self, job: str, host: str, faulty: float = 0) -> Sample:
        return self.on("up", host, 1, faulty, f'job="{job}"')

    def on(self, metric: str, host: str, healthy: _Values, faulty: _Values, *matchers: str) -> Sample:
        """Of the target `host`. A number is a level."""
        return Sample(self(metric, f'host="{host}"', *matchers), _line(healthy), _line(faulty))

    def steady(self, metric: str, hosts: Iterable[str], value: float, *matchers: str) -> tuple[Sample, ...]:
        """Of each of `hosts`, before and during the fault."""
        return tuple(self.on(metric, host, value, value, *matchers) for host in hosts)


def _line(value: _Values) -> Line | None:
    return value if value is None or isinstance(value, Line) else Line(value)


#: Series of a host that an operator has drained: what is missing there is missing on purpose.
DRAINED = "fournines:drained"


def planned(by: str = "host") -> str:
    """Behind an expression: not of hosts that are drained. by: label that names the host."""
    known = DRAINED if by == "host" else f'label_replace({DRAINED}, "{by}", "$1", "host", "(.*)")'
    return f" unless on (cloud, region, {by}) {known}"


def majority(count: int) -> int:
    return count // 2 + 1


def wait(seconds: float) -> int:
    """How long what takes `seconds` by the timers may last before it is an alert: twice that, and what scrapes take."""
    return max(3, math.ceil(2 * seconds / SCRAPE) + 2) * SCRAPE

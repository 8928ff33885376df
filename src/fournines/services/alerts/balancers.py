"""Alerts of the load balancers: their backends, what users are answered, their limits."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.services import passive
from fournines.services.alerts.alert import SCRAPE, Alert, Line, Scope, planned, wait
from fournines.services.capabilities import Balanced, present
from fournines.timing import timers
from fournines.timing.rules import frozen_api

#: Share of answers that may be server errors, and how many a second are worth an alert.
ERRORS, ERRORS_A_SECOND = 0.05, 0.05


def balancers(s: Scope) -> Iterator[Alert]:
    names = s.hosts("haproxy")
    if names:
        yield from _backends(s, names)
        yield from _answers(s, names)


def _backends(s: Scope, names: list[str]) -> Iterator[Alert]:
    balanced = [
        (x.name, frontend)
        for x in present(s.cloud, s.region.name)
        if isinstance(x, Balanced)
        for frontend in x.frontends(s.cloud, s.region)
    ]
    # Of those whose leader is elected, the leader alone is up; of what is passive, the host on which it runs.
    led = sorted({f.name for _, f in balanced if f.moves} | passive.names(s.cloud))
    rest = [(service, f) for service, f in balanced if f.name not in led]
    seen = s("fournines_backend_up", *([f'proxy!~"{"|".join(led)}"'] if led else []))
    leaves = frozen_api(timers(s.cloud))
    if rest:
        service, frontend = rest[0]
        proxy, first = f'proxy="{frontend.name}"', s.hosts(service)[0]
        yield Alert(
            name="BackendDown",
            expr=f"max by (cloud, region, proxy, server) ({seen}) == 0{planned('server')}",
            wait=wait(leaves) + 60,
            severity="warning",
            summary="every load balancer has {{ $labels.server }} out of {{ $labels.proxy }}",
            means=f"It fails its health check, which takes it out within {leaves:.2g} s. The others have its load.",
            run="fournines status CLOUD; on that host: journalctl -u UNIT -n 50",
            samples=tuple(s.on("fournines_backend_up", n, 1, 0, proxy, f'server="{first}"') for n in names),
        )
    service, frontend = balanced[0]
    yield Alert(
        name="NoBackend",
        expr=f"sum by (proxy) (max by (proxy, server) ({s('fournines_backend_up')})) == 0",
        wait=wait(leaves),
        severity="critical",
        summary="no load balancer has a backend for {{ $labels.proxy }}",
        means="Clients of it get 503 or no connection; an API's get what its failing backends still answer.",
        run="fournines status CLOUD; on its hosts: journalctl -u UNIT -n 50",
        samples=tuple(
            s.on("fournines_backend_up", n, 1, 0, f'proxy="{frontend.name}"', f'server="{server}"')
            for n in names
            for server in s.hosts(service)
        ),
    )


def _answers(s: Scope, names: list[str]) -> Iterator[Alert]:
    first, counted = names[0], "haproxy_frontend_http_responses_total"
    failed = f"sum by (proxy) (rate({s(counted, code='5xx')}[5m]))"
    yield Alert(
        name="ServerErrors",
        expr=f"{failed} / sum by (proxy) (rate({s(counted)}[5m])) > {ERRORS} and {failed} > {ERRORS_A_SECOND}",
        wait=60,
        severity="critical",
        summary="{{ $value | humanizePercentage }} of the answers of {{ $labels.proxy }} are server errors",
        means=f"More than one answer in {1 / ERRORS:.0f} over five minutes: users see it.",
        run="fournines logs CLOUD --since 10m --priority err; fournines trace CLOUD req-… of a line of HAProxy's",
        samples=(
            s.on(counted, first, Line(0, 10 * SCRAPE), Line(0, 10 * SCRAPE), 'proxy="keystone"', 'code="2xx"'),
            s.on(counted, first, Line(0), Line(0, 5 * SCRAPE), 'proxy="keystone"', 'code="5xx"'),
        ),
    )
    for name, used, most, what in (
        ("LoadBalancerNearLimit", "haproxy_process_current_connections", "haproxy_process_max_connections", "HAProxy"),
        ("FrontendNearLimit", "haproxy_frontend_current_sessions", "haproxy_frontend_limit_sessions",
         "{{ $labels.proxy }}"),
    ):  # fmt: skip
        proxy = ['proxy="keystone"'] if name == "FrontendNearLimit" else []
        yield Alert(
            name=name,
            expr=f"{s(used)} / {s(most)} > 0.8",
            wait=120,
            severity="warning",
            summary=f"{what} on {{{{ $labels.host }}}} uses {{{{ $value | humanizePercentage }}}} of its connections",
            means="At the limit new clients wait in the kernel's queue until others leave, and then time out.",
            run="fournines design capacity CLOUD; on the host: echo 'show info' | socat - /run/haproxy/admin.sock",
            samples=(s.on(used, first, 100, 95_000, *proxy), *s.steady(most, [first], 100_000, *proxy)),
        )

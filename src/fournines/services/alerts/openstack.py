"""Alerts of OpenStack's own parts, of the cache and of the tokens' keys."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.services import passive
from fournines.services.alerts.alert import DAY, Alert, Scope, planned
from fournines.timing import timers

#: Days after which the keys that encrypt tokens should have been replaced.
FERNET_DAYS = 180


def openstack(s: Scope) -> Iterator[Alert]:
    if keystones := s.hosts("keystone"):
        yield Alert(
            name="FernetKeyOld",
            expr=f"{s('fournines_fernet_key_age_seconds')} > {FERNET_DAYS * DAY}",
            wait=60,
            severity="warning",
            summary="the key that encrypts tokens is {{ $value | humanizeDuration }} old",
            means="Whoever has read it can make tokens of any user until it is replaced.",
            run="fournines rotate CLOUD fernet-keys",
            samples=(s.on("fournines_fernet_key_age_seconds", keystones[0], DAY, (FERNET_DAYS + 20) * DAY),),
        )
    if caches := s.hosts("memcached"):
        yield Alert(
            name="CacheDown",
            expr=f"{s('fournines_daemon_answers', daemon='memcached')} == 0{planned()}",
            wait=60,
            severity="warning",
            summary="memcached of {{ $labels.host }} does not answer",
            means="Every token that this host's APIs validate costs a request to Keystone and to the database.",
            run="on the host: systemctl status memcached; journalctl -u memcached -n 50",
            samples=(s.on("fournines_daemon_answers", caches[0], 1, 0, 'daemon="memcached"'),),
        )
    writers = [h for name in ("mariadb", "mariadb_replica", "mariadb_shared") for h in s.hosts(name)]
    if writers and any(s.hosts(name) for name in ("nova", "cinder", "neutron")):
        yield from _reports(s, writers[0])
    if writers and s.hosts("neutron_agents"):
        yield from _routers(s, writers[0])


def _reports(s: Scope, writer: str) -> Iterator[Alert]:
    """The agent where the writer is reads the tables; after a failover another one does."""
    t, moved = timers(s.cloud), "|".join(sorted(passive.names(s.cloud)))
    labels = ('service="nova"', 'kind="nova-compute"', f'on="{writer}"')
    # Of what is passive, the hosts that had it before no longer report.
    seen = s("fournines_openstack_agent_up", *([f'kind!~"{moved}"'] if moved else []))
    yield Alert(
        name="OpenstackAgentDown",
        expr=f"max by (cloud, region, service, kind, on) ({seen}) == 0{planned('on')}",
        wait=60,
        severity="warning",
        summary="{{ $labels.kind }} on {{ $labels.on }} does not report",
        means=f"OpenStack gives it no work: Nova and Cinder wait for a report for {t.service_down:g} s, Neutron for "
        f"{t.agent_down:g} s.",
        run="on that host: systemctl status UNIT; fournines logs CLOUD --hosts HOST --since 10m",
        samples=(s.on("fournines_openstack_agent_up", writer, 1, 0, *labels),),
    )


def _routers(s: Scope, writer: str) -> Iterator[Alert]:
    moves = 4 * timers(s.cloud).router_advert
    for name, wrong, count, what in (
        ("RouterNotActive", "== 0", 0, "no host forwards"),
        ("RouterActiveTwice", "> 1", 2, "more than one host forwards"),
    ):
        yield Alert(
            name=name,
            expr=f"max by (router) ({s('fournines_router_active')}) {wrong}",
            wait=60,
            severity="critical",
            summary=f"{what} for router {{{{ $labels.router }}}}",
            means=f"VRRP moves a router to another host within {moves:g} s, and this one is not on exactly one. "
            "Servers behind it reach nothing outside, or only at times.",
            run="openstack network agent list --router ROUTER; on its hosts: journalctl -u neutron-l3-agent -n 50",
            samples=(s.on("fournines_router_active", writer, 1, count, 'router="1"'),),
        )

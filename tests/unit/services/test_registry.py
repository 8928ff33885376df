from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fournines.cloud.model import Cloud, Host
from fournines.design.options import unknown_option
from fournines.services import agent, registry
from fournines.services.capabilities import Balanced, UsesDatabase, UsesMessaging, guards, present
from fournines.services.options import known
from fournines.services.resource import Fact, File, Unit
from fournines.services.service import Service
from samples import cases


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Of every service, with a compute and a witness."""
    more = {
        "cmp1": {"zone": "rack1", "address": "198.18.0.21", "roles": ["compute"]},
        "wit1": {"zone": "rack1", "address": "198.18.0.19", "roles": ["witness"]},
    }
    whole = {"components": "full", "regions": {"phx": {"hosts": more}}}
    return cases.Case(Path("none"), {"cloud": whole}).cloud(tmp_path)


def carried(host: Host) -> Iterator[Service]:
    return (s for name, s in registry().items() if name in host.services)


def test_each_service_comes_after_all_that_it_needs() -> None:
    seen: set[str] = set()
    for name, service in registry().items():
        assert set(service.follows) <= seen
        assert service.name == name
        seen.add(name)
    assert list(registry())[:3] == ["base", "firewall", "agent"]


def test_what_several_services_want_of_a_host_is_the_same(cloud: Cloud) -> None:
    for host in cloud.hosts:
        resources = {r for s in carried(host) for r in s.desired(cloud, host)}
        assert len({r.key for r in resources}) == len(resources)


def test_what_is_triggered_or_checked_is_a_unit_of_a_service(cloud: Cloud) -> None:
    """Of the agent, the unit of a process that only some hosts run may be triggered everywhere: `try-restart`."""
    units = {unit for s in registry().values() for unit in s.units_in(cloud)}
    units.add("systemd-journald.service")  # of every host, whoever made it
    units |= {r.fact.subject for h in cloud.hosts for r in registry()["agent"].desired(cloud, h) if isinstance(r, Unit)}
    for host in cloud.hosts:
        for service in carried(host):
            triggered = {t.partition(":")[2] for r in service.desired(cloud, host) for t in r.triggers}
            assert triggered <= units
            running = {r.fact for r in service.desired(cloud, host)}
            checked = {c.unit for c in service.checks(cloud, host) if c.unit}
            assert checked <= {f.subject for f in running} | units - set(service.units)
            guarded = host in guards(cloud, host.region)
            assert all(Fact("unit", u) in running for u in service.units if guarded or u != agent.GUARD)


def test_no_secret_is_in_a_command_or_a_readable_file(cloud: Cloud) -> None:
    """Passwords are their own names here, so that they can be looked for."""
    kinds = ("admin", "database", "heartbeat", "keystone", "messaging", "tokens")
    names = {name for s in registry().values() for name in (*getattr(s, "databases", ()), *getattr(s, "vhosts", ()))}
    passwords = ["agent.state", *(f"{name}.{kind}" for name in (*registry(), *names) for kind in kinds)]
    for host in cloud.hosts:
        for service in carried(host):
            for resource in service.desired(cloud, host):
                for password in passwords:
                    assert password not in resource.fact.subject
                    assert all(password not in getattr(step, "script", "") for step in resource.steps())
                    if password in getattr(resource, "content", ""):
                        assert isinstance(resource, File)
                        assert resource.secret and not resource.mode & 0o007, resource.key
            for check in service.checks(cloud, host):
                assert not any(password in check.script for password in passwords)


def test_every_daemon_binds_its_own_address_or_a_vip(cloud: Cloud) -> None:
    for host in cloud.hosts:
        for resource in (r for s in carried(host) for r in s.desired(cloud, host)):
            assert "0.0.0.0" not in getattr(resource, "content", "") or resource.key.startswith("file:/usr/lib/")


def test_capabilities(cloud: Cloud) -> None:
    services = registry()
    assert isinstance(services["keystone"], Balanced)
    assert isinstance(services["mariadb"], Balanced)
    assert isinstance(services["agent"], UsesDatabase)
    assert isinstance(services["agent"], UsesMessaging)
    assert not isinstance(services["haproxy"], Balanced | UsesDatabase | UsesMessaging)
    unmonitored = [s for s in services.values() if not s.reader and s.roles != ("monitoring",)]
    assert [s.name for s in present(cloud, "phx")] == [s.name for s in unmonitored if s.chosen(cloud)]


def test_computes_are_in_no_quorum_and_another_one_changes_no_host(tmp_path: Path) -> None:
    def with_computes(last: int) -> Cloud:
        computes = {f"cmp[001-{last:03}]": {"zone": "rack1", "address": "198.18.0.101+", "roles": ["compute"]}}
        return cases.Case(Path("none"), {"cloud": {"regions": {"phx": {"hosts": computes}}}}).cloud(tmp_path)

    few, more = with_computes(2), with_computes(3)
    more.__dict__["secrets"] = few.secrets  # keys and certificates are random
    assert [h.name for h in guards(few, "phx")] == ["ctl1", "ctl2", "ctl3"]
    for one, other in zip(few.hosts, more.hosts, strict=False):
        for service in ("base", "agent"):
            assert [*registry()[service].desired(few, one)] == [*registry()[service].desired(more, other)]


_WITHOUT = (
    *("agent", "arbitrator", "mariadb_accounts", "mysqld_exporter", "node_exporter", "nova_hosts", "qnetd"),
    *("mariadb_replica_accounts", "rabbitmq_accounts"),
)


@pytest.mark.parametrize("service", [n for n in registry() if n not in _WITHOUT])
def test_the_options_of_every_service_are_known(service: str) -> None:
    assert known(service)


def test_an_option_that_a_service_does_not_have_is_refused_and_its_own_are_not(tmp_path: Path) -> None:
    options = {
        "haproxy": {"haproxy.cfg": {"defaults": {"timeout client": "5m"}, "listen keystone": {"balance": "source"}}},
        "mariadb": {"my.cnf": {"mariadbd": {"innodb_buffer_pool_size": "8G"}}},
        "rabbitmq": {"rabbitmq.conf": {"": {"vm_memory_high_watermark.relative": 0.5}}},
        "keystone": {"keystone.conf": {"token": {"expiration": 7200}, "cache": {"memcache_sockt_timeout": 1}}},
        "keepalived": {"keepalived.conf": {"vrrp_instance fournines": {"advert_int": 1}}},
        "base": {"sysctl.conf": {"": {"net.ipv4.conf.management.arp_notify": 1}}},
    }
    wish = {"services": {name: {"options": files} for name, files in options.items()}}
    cloud = cases.Case(Path("none"), {"cloud": wish}).cloud(tmp_path)
    [flaw] = unknown_option(cloud)
    assert "memcache_sockt_timeout" in flaw.what
    assert "memcache_socket_timeout" in flaw.change

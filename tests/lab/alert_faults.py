"""What makes each shipped alert fire in a lab, and what makes it resolve: real faults, one beside the other.

The lab has three controllers and two hosts of the role `monitoring`; alerts are read from the first one's Prometheus.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.services import load, monitoring, tls
from fournines.services.alerts.alert import SCRAPE
from fournines.services.prometheus import PROMETHEUS_PORT, RULES
from lab.alert_clients import CLIENTS
from lab.ports import inside

#: Alerts that no fault of this lab can raise, and why.
NOT_HERE: Mapping[str, str] = {
    "ClockOff": "the hosts of a lab share the machine's clock",
    "MemoryLow": "the hosts of a lab share the machine's memory",
    "ConntrackNearlyFull": "the table's size is the machine's",
    "SchedulingDelays": "takes half an hour of a machine that is too slow",
    "DatabaseFlowControl": "takes a node that applies more slowly than it is written to, by less than departs it",
    "ClusterWithoutQuorum": "takes pattern: {vip: pacemaker}",
    "ClusterMemberUnclean": "takes pattern: {vip: pacemaker}",
    "ClusterResourceFailed": "takes pattern: {vip: pacemaker}",
    "ClusterResourceStopped": "takes pattern: {vip: pacemaker}",
    "FencingDisabled": "takes pattern: {vip: pacemaker}",
}
#: Counted over an hour: seen to fire, and not waited for afterwards.
HOURLY = ("DaemonHangs",)
_FULL = "/srv/nearly-full"


@dataclass
class Site:
    """`path`: the cloud file. The first two controllers stay on, the third one loses power."""

    path: Path
    cloud: Cloud = field(init=False)

    def __post_init__(self) -> None:
        self.cloud = lab.access(load(self.path))
        self.controllers = [h.name for h in self.cloud.hosts if "mariadb" in h.services]
        self.monitors = [h.name for h in self.cloud.hosts if "prometheus" in h.services]
        self.region = next(iter(self.cloud.regions.values()))
        self.gateway = next(iter(self.region.networks["management"].cidr.hosts()))

    def run(self, host: str, script: str) -> str:
        return inside(self.cloud, host, "sh", "-ec", script)

    def quietly(self, host: str, script: str) -> None:
        """Heals, where there may be nothing to heal."""
        with contextlib.suppress(Exception):
            self.run(host, script)

    def state(self, host: str) -> Any:
        return json.loads(self.run(host, "cat /run/fournines/state.json"))

    def firing(self) -> set[str]:
        return set(self.asked('ALERTS{alertstate="firing"}'))

    def fired(self, seconds: int, state: str = "firing") -> dict[str, float]:
        """Alerts that were in that state within the last `seconds` -> the seconds for which they were, of the series
        that was longest. But Watchdog, which always is."""
        found = self.asked(f'count_over_time(ALERTS{{alertstate="{state}",alertname!="Watchdog"}}[{seconds}s])')
        return {name: samples * SCRAPE for name, samples in found.items()}

    def asked(self, query: str) -> dict[str, float]:
        """What the first monitoring host's Prometheus answers: alert -> the largest value."""
        host = self.monitors[0]
        address = self.cloud.host_by_name[host].address
        words = ["curl", "-fsS", "-G", "--cacert", tls.CA, "--cert", monitoring.CLIENT]
        url = f"https://{address}:{PROMETHEUS_PORT}/api/v1/query"
        said = inside(self.cloud, host, *words, "--data-urlencode", f"query={query}", url)
        found: dict[str, float] = {}
        for series in json.loads(said)["data"]["result"]:
            name = series["metric"]["alertname"]
            found[name] = max(found.get(name, 0.0), float(series["value"][1]))
        return found

    def writer(self) -> str:
        return self._which(lambda host: bool((self.state(host).get("galera") or {}).get("acting")))

    def holder(self) -> str:
        return self._which(lambda host: f"{self.region.vips.public}/" in self.run(host, "ip -4 addr"))

    def _which(self, is_it: Callable[[str], bool], within: float = 30.0) -> str:
        """The controller of which it holds; another one takes over within seconds. Raises RuntimeError."""
        deadline = time.monotonic() + within
        while True:
            for host in self.controllers:
                if lab.is_on(self.cloud.name, host) and is_it(host):
                    return host
            if time.monotonic() > deadline:
                raise RuntimeError(f"no controller of {self.cloud.name} has taken over within {within:g} s")
            time.sleep(0.5)

    def sql(self, host: str, text: str) -> str:
        return self.run(host, f"mariadb -N -e {shlex.quote(text)}")


@dataclass(frozen=True)
class Struck:
    """alerts: that it raises."""

    alerts: tuple[str, ...]
    strike: Callable[[Site], None]
    heal: Callable[[Site], None]


def _stopped(where: Callable[[Site], str], *units: str) -> dict[str, Callable[[Site], None]]:
    said = " ".join(units)
    return {
        "strike": lambda s: s.run(where(s), f"systemctl stop {said}") and None,
        "heal": lambda s: s.quietly(where(s), f"systemctl start {said}"),
    }


def _first(s: Site) -> str:
    return s.controllers[0]


def _second(s: Site) -> str:
    return s.controllers[1]


def _power_off(*numbers: int) -> dict[str, Callable[[Site], None]]:
    def press(action: Any) -> Callable[[Site], None]:
        return lambda s: [lab.power(s.cloud.name, s.controllers[n], action) for n in numbers] and None

    return {"strike": press("off"), "heal": press("on")}


_EXPORTER = "prometheus-mysqld-exporter"


def _exporter_off(s: Site) -> None:
    """Not the writer's, of which another alert reads the connections."""
    s.run(next(h for h in s.controllers[:2] if h != s.writer()), f"systemctl stop {_EXPORTER}")


def _exporter_on(s: Site) -> None:
    for host in s.controllers[:2]:
        s.quietly(host, f"systemctl start {_EXPORTER}")


def _hangs(s: Site) -> None:
    """Three times: the agent kills what does not answer, systemd starts it again."""
    for _ in range(3):
        before = s.run(_second(s), "systemctl show -P MainPID memcached")
        s.run(_second(s), "systemctl kill -s STOP memcached")
        deadline = time.monotonic() + 60
        while s.run(_second(s), "systemctl show -P MainPID memcached") in (before, "0\n"):
            if time.monotonic() > deadline:
                return
            time.sleep(1)
        time.sleep(6)  # a scrape sees each


def _expired(s: Site) -> None:
    path = _certificate(s)
    pem = tls.expired_pem(s.cloud, s.run(_first(s), f"cp -p {path} {path}.kept && cat {path}"))
    s.run(_first(s), f"printf %s {shlex.quote(pem)} > {path}")


def _certificate(s: Site) -> str:
    return next(p for p in sorted(s.state(_first(s))["certificates"]["ends"]) if "haproxy" in p)


def _unexpired(s: Site) -> None:
    s.quietly(_first(s), "for f in $(find /etc -name '*.pem.kept'); do mv $f ${f%.kept}; done")


_KEYS = "/etc/keystone/fernet-keys"
_NEWEST = f"$(ls {_KEYS} | sort -n | tail -1)"


def _nearly_full(s: Site) -> None:
    """A small disk of its own: the root of a lab's host is the machine's."""
    image = s.path.with_suffix(".disk")
    with image.open("wb") as made:
        made.truncate(64 << 20)
    host = _first(s)
    pid = lab.leader(s.cloud.name, host)
    script = (
        f"mkfs.ext4 -qm0 {image}; loop=$(losetup --find --show {image}); number=${{loop#/dev/loop}}; "
        f'nsenter -t {pid} -m sh -ec "mkdir -p {_FULL}; mknod /dev/nearly-full b 7 $number; '
        f'mount /dev/nearly-full {_FULL}; dd if=/dev/zero of={_FULL}/what bs=1M 2>/dev/null || true"'
    )
    _machine(script)


def _emptied(s: Site) -> None:
    s.quietly(_first(s), f"umount {_FULL}; rm -f /dev/nearly-full; rmdir {_FULL}")
    with contextlib.suppress(Exception):
        _machine(f"losetup -j {s.path.with_suffix('.disk')} | cut -d: -f1 | xargs -r losetup -d")
    s.path.with_suffix(".disk").unlink(missing_ok=True)


def _machine(script: str) -> str:
    return subprocess.run(["sh", "-ec", script], check=True, capture_output=True, text=True, timeout=60).stdout


def _broken_rule(s: Site) -> None:
    text = "- {name: broken, rules: [{record: broken, expr: 'up * on () up'}]}"
    indent = f"$(sed -n 's/^\\( *\\)- name: .*/\\1/p' {RULES} | head -1)"
    s.run(s.monitors[0], f'cp -p {RULES} {RULES}.kept; echo "{indent}{text}" >> {RULES}; systemctl reload prometheus')


def _watermark(s: Site) -> None:
    script = "rabbitmqctl eval 'vm_memory_monitor:get_vm_memory_high_watermark().' > /run/watermark.kept"
    s.run(_first(s), f"{script}; rabbitmqctl -q set_vm_memory_high_watermark absolute 1MB")


def _watermark_back(s: Site) -> None:
    script = 'rabbitmqctl eval "vm_memory_monitor:set_vm_memory_high_watermark($(cat /run/watermark.kept))."'
    s.quietly(_first(s), script)


#: Sessions that do nothing, and how many more the database then takes: nine in ten are in use, and whoever comes and
#: goes (a scrape, an agent) is not refused.
_SESSIONS, _SPARE = 60, 7


def _few_connections(s: Site) -> None:
    writer = s.writer()
    idle = f"for n in $(seq {_SESSIONS}); do mariadb -e 'do sleep(3000)' & done; wait"
    s.run(writer, f"systemd-run --collect --unit=alert-sessions sh -c {shlex.quote(idle)}")
    deadline = time.monotonic() + 30
    while (used := _used(s, writer)) < _SESSIONS and time.monotonic() < deadline:
        time.sleep(0.5)
    s.sql(writer, f"set global max_connections = {used + _SPARE}")


def _used(s: Site, host: str) -> int:
    name = "threads_connected"
    return int(s.sql(host, f"select variable_value from information_schema.global_status where variable_name='{name}'"))


def _many_connections(s: Site) -> None:
    script = "mariadb -N -e \"set global max_connections=$(mariadbd --print-defaults 2>/dev/null | tr ' ' '\\n'"
    script += " | sed -n 's/^--max.connections=//p' | tail -1)\""
    for host in s.controllers[:2]:
        s.quietly(host, script)
        s.quietly(host, "systemctl stop alert-sessions")


def _lagging(s: Site) -> None:
    """One that reads and applies nothing, while the writer goes on."""
    other = next(h for h in s.controllers[:2] if h != s.writer())
    s.run(other, "systemd-run --collect --unit=alert-lock mariadb -e 'flush tables with read lock; do sleep(3000)'")
    time.sleep(2)
    s.sql(s.writer(), "create database if not exists alert_faults; create table if not exists alert_faults.t (n int)")
    loop = "while :; do echo 'insert into alert_faults.t values (1);'; sleep 0.1; done | mariadb"
    s.run(s.writer(), f"systemd-run --collect --unit=alert-writes sh -c {shlex.quote(loop)}")


def _not_lagging(s: Site) -> None:
    for host in s.controllers[:2]:
        s.quietly(host, "systemctl stop alert-writes")
        s.quietly(host, "systemctl stop alert-lock")
    s.quietly(s.writer(), "mariadb -e 'drop database if exists alert_faults'")


_SOCKET = "socat - /run/haproxy/admin.sock"


def _few_clients(s: Site) -> None:
    holder = s.holder()
    shown = s.run(holder, f"echo 'show info' | {_SOCKET}")
    current = int(next(line for line in shown.splitlines() if line.startswith("CurrConns:")).split()[1])
    s.run(holder, f"echo 'set maxconn frontend keystone {CLIENTS + 2}' | {_SOCKET}")
    s.run(holder, f"echo 'set maxconn global {current + 4}' | {_SOCKET}")


def _many_clients(s: Site) -> None:
    """A reload reads what its file says."""
    for host in s.controllers[:2]:
        s.quietly(host, "systemctl reload haproxy")


_QUEUES = ("alert-faults", "alert-pair")


def _declare(name: str) -> str:
    return (
        f'rabbit_amqqueue:declare(rabbit_misc:r(<<"/">>, queue, <<"{name}">>), true, false, '
        '[{<<"x-queue-type">>, longstr, <<"quorum">>}], none, <<"alert-faults">>).'
    )


def with_queues(s: Site) -> None:
    """A core cloud has none by itself: one of three members, and one of two, on the first and the third controller.
    Brokers that lose their majority pause (`pause_minority`) and say nothing of queues; a queue of two loses its
    majority with one broker, and the others say so."""
    for name in _QUEUES:
        s.run(_first(s), f"rabbitmqctl -q eval {shlex.quote(_declare(name))}")
    s.run(_first(s), f"rabbitmq-queues delete_member --vhost / alert-pair rabbit@{_second(s)}")


def without_them(s: Site) -> None:
    for name in _QUEUES:
        s.quietly(_first(s), f"rabbitmqctl -q delete_queue {name}")


def _second_holder(s: Site) -> None:
    """On a device that the guard does not look after: from its own it takes an address away at once."""
    s.run(next(h for h in s.controllers[:2] if h != s.holder()), f"ip addr add {s.region.vips.internal}/32 dev lo")


def _one_holder(s: Site) -> None:
    for host in s.controllers[:2]:
        s.quietly(host, f"ip addr del {s.region.vips.internal}/32 dev lo")


def _guard_off(s: Site) -> None:
    s.run(next(h for h in s.controllers if h != s.holder()), "systemctl stop fournines-guard")


def _guard_on(s: Site) -> None:
    for host in s.controllers:
        s.quietly(host, "systemctl start fournines-guard")


#: At once: each is on its own, or with the third controller gone anyway.
TOGETHER: tuple[Struck, ...] = (
    Struck(
        ("HostDown", "NoVoterToSpare", "DatabaseNoneToSpare", "DatabaseNotRedundant", "MessagingNoneToSpare",
         "MessagingNotRedundant", "QueuesNotRedundant", "QueuesWithoutMajority", "BackendDown"),
        **_power_off(2),
    ),
    Struck(("CacheDown", "UnitNotActive"), **_stopped(_first, "memcached")),
    Struck(("ExporterDown",), _exporter_off, _exporter_on),
    Struck(("AgentDown",), **_stopped(lambda s: s.monitors[0], "fournines-observer")),
    Struck(
        ("PrometheusDown", "AlertmanagerDown", "AlertmanagersApart", "AlertsNotDelivered"),
        **_stopped(lambda s: s.monitors[1], "prometheus", "prometheus-alertmanager"),
    ),
    Struck(("NotificationsFail",), lambda _: None, lambda _: None),  # nobody listens, until `run` does
    Struck(
        ("RulesFail",),
        _broken_rule,
        lambda s: s.quietly(s.monitors[0], f"mv {RULES}.kept {RULES}; systemctl reload prometheus"),
    ),
    Struck(("CertificateEndsSoon", "CertificateEnds"), _expired, _unexpired),
    Struck(
        ("FernetKeyOld",),
        lambda s: s.run(_first(s), f"touch -d '200 days ago' {_KEYS}/{_NEWEST}") and None,
        lambda s: s.quietly(_first(s), f"touch {_KEYS}/{_NEWEST}"),
    ),
    Struck(("DiskNearlyFull", "DiskFull"), _nearly_full, _emptied),
    Struck(("MessagingPublishersBlocked",), _watermark, _watermark_back),
    Struck(("DatabaseConnectionsNearLimit",), _few_connections, _many_connections),
    Struck(("DatabaseLagging",), _lagging, _not_lagging),
    Struck(("LoadBalancerNearLimit", "FrontendNearLimit"), _few_clients, _many_clients),
    Struck(("DaemonHangs",), _hangs, lambda s: s.quietly(_second(s), "systemctl restart memcached")),
)  # fmt: skip
#: By themselves, one after another.
ALONE: tuple[Struck, ...] = (
    Struck(
        ("NoBackend", "ServerErrors"),
        lambda s: [s.run(h, "systemctl stop keystone") for h in s.controllers] and None,
        lambda s: [s.quietly(h, "systemctl start keystone") for h in s.controllers] and None,
    ),
    Struck(("TwoVipHolders",), _second_holder, _one_holder),
    Struck(("GuardSilent",), _guard_off, _guard_on),
    Struck(
        ("NoVipHolder", "DatabaseWithoutWriter", "DatabaseWithoutQuorum", "MessagingWithoutQuorum"),
        **_power_off(1, 2),
    ),
)  # fmt: skip

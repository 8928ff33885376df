"""Alerts of every host: power, clocks, disks, memory, certificates."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.services.alerts.alert import DAY, SCRAPE, Alert, Line, Scope, planned
from fournines.timing import timers

#: Seconds by which a clock may be wrong.
CLOCK = 2.0
_DISK = 'mountpoint="/"'


def hosts(s: Scope) -> Iterator[Alert]:
    first = s.region.hosts[0].name
    down = s("up", 'job="agent"')
    yield Alert(
        name="HostDown",
        expr=f"({s('up', job='node')} == 0 and on (cloud, region, host) {down} == 0){planned()}",
        wait=30,
        severity="critical",
        summary="{{ $labels.host }} does not answer",
        means="Neither its node exporter nor its agent answers: it has no power or no network, or it hangs. The "
        "services that it shares with other hosts go on there.",
        run="fournines status CLOUD; look at its console; switch its power on, or fournines reboot CLOUD HOST",
        samples=(s.up("node", first), s.up("agent", first)),
    )
    yield Alert(
        name="AgentDown",
        expr=f"({down} == 0 and on (cloud, region, host) {s('up', job='node')} == 1){planned()}",
        wait=60,
        severity="critical",
        summary="the agent of {{ $labels.host }} does not answer",
        means="The observer of this host does not run or hangs: it elects no writer, kills no hung daemon and reports "
        "nothing. The guard, which holds the VIP, is another process.",
        run="on the host: journalctl -u fournines-observer -n 50; systemctl restart fournines-observer",
        samples=(s.up("agent", first), s.up("node", first, 1)),
    )
    yield Alert(
        name="UnitNotActive",
        expr=f"{s('fournines_unit_active')} == 0{planned()}",
        wait=120,
        severity="warning",
        summary="{{ $labels.unit }} on {{ $labels.host }} is not active",
        means="systemd starts a unit of the cloud again whenever it ends. This one does not stay up, or was stopped by "
        "hand.",
        run="on the host: systemctl status UNIT; journalctl -u UNIT -n 50; then fournines apply CLOUD",
        samples=(s.on("fournines_unit_active", first, 1, 0, 'unit="fournines-observer.service"'),),
    )
    yield Alert(
        name="DaemonHangs",
        expr=f"increase({s('fournines_daemon_kills_total')}[1h]) > 2",
        wait=0,
        severity="warning",
        summary="{{ $labels.unit }} on {{ $labels.host }} hung again and again within an hour",
        means="The agent kills a daemon that neither answers nor uses the processor, so that systemd starts it again. "
        "More than two times in an hour is a fault that a restart does not cure.",
        run="on the host: journalctl -u fournines-observer -u UNIT --since -1h; free -m; iostat -x 1 5",
        samples=(
            s.on("fournines_daemon_kills_total", first, Line(0, 0), Line(0, 0.05), 'unit="rabbitmq-server.service"'),
        ),
    )
    clock = s("fournines_clock_seconds")
    yield Alert(
        name="ClockOff",
        expr=f"abs({clock} - timestamp({clock})) > {CLOCK:g}",
        wait=120,
        severity="warning",
        summary="the clock of {{ $labels.host }} differs from Prometheus' by {{ $value | humanize }} s",
        means=f"A service of OpenStack counts as down when its report is {timers(s.cloud).service_down:g} s old by the "
        "database's clock, and tokens are valid by each host's own.",
        run="on the host: chronyc tracking; chronyc sources",
        samples=(s.on("fournines_clock_seconds", first, Line(0, SCRAPE), Line(30, SCRAPE)),),
    )
    yield from _resources(s, first)
    yield from _certificates(s, first)


def _resources(s: Scope, first: str) -> Iterator[Alert]:
    free = f"{s('node_filesystem_avail_bytes')} / {s('node_filesystem_size_bytes')}"
    size = s.steady("node_filesystem_size_bytes", [first], 1e11, _DISK)
    size += s.steady("node_filesystem_readonly", [first], 0, _DISK)
    for name, share, seconds, left in (("DiskNearlyFull", 0.1, 300, 5e9), ("DiskFull", 0.03, 30, 1e9)):
        full = name == "DiskFull"
        yield Alert(
            name=name,
            expr=f"{free} < {share} and {s('node_filesystem_readonly')} == 0",
            wait=seconds,
            severity="critical" if full else "warning",
            summary="{{ $labels.mountpoint }} of {{ $labels.host }} has {{ $value | humanizePercentage }} left",
            means="RabbitMQ blocks its publishers and MariaDB its writes when their disk is full."
            if full
            else "A full disk stops the database, the bus and the journal.",
            run="on the host: du -xh --max-depth=3 MOUNTPOINT | sort -h | tail; journalctl --disk-usage",
            samples=(s.on("node_filesystem_avail_bytes", first, 5e10, left, _DISK), *size),
        )
    yield Alert(
        name="MemoryLow",
        expr=f"{s('node_memory_MemAvailable_bytes')} / {s('node_memory_MemTotal_bytes')} < 0.05",
        wait=600,
        severity="warning",
        summary="{{ $labels.host }} has {{ $value | humanizePercentage }} of its memory left",
        means="When it is used up the kernel kills the process that has most of it: the database, or the bus.",
        run="fournines design capacity CLOUD; on the host: systemd-cgtop -m",
        samples=(
            s.on("node_memory_MemAvailable_bytes", first, 2e10, 1e9),
            *s.steady("node_memory_MemTotal_bytes", [first], 3e10),
        ),
    )
    yield Alert(
        name="ConntrackNearlyFull",
        expr=f"{s('node_nf_conntrack_entries')} / {s('node_nf_conntrack_entries_limit')} > 0.8",
        wait=120,
        severity="warning",
        summary="{{ $labels.host }} uses {{ $value | humanizePercentage }} of its connection tracking table",
        means="When the table is full the kernel drops new connections: clients time out, and no daemon logs why.",
        run="on the host: sysctl net.netfilter.nf_conntrack_max; conntrack -S",
        samples=(
            s.on("node_nf_conntrack_entries", first, 100, 250_000),
            *s.steady("node_nf_conntrack_entries_limit", [first], 262_144),
        ),
    )


def _certificates(s: Scope, first: str) -> Iterator[Alert]:
    for name, days in (("CertificateEndsSoon", 30), ("CertificateEnds", 7)):
        yield Alert(
            name=name,
            expr=f"{s('fournines_certificate_end_seconds')} - time() < {days} * {DAY}",
            wait=60,
            severity="critical" if days == 7 else "warning",
            summary="{{ $labels.file }} on {{ $labels.host }} expires in {{ $value | humanizeDuration }}",
            means=f"It is valid for less than {days} days. After that every client refuses to connect.",
            run="your own certificate: replace the file that tls.certificate names, fournines apply CLOUD; else "
            "fournines rotate CLOUD certificates",
            samples=(
                s.on("fournines_certificate_end_seconds", first, 800 * DAY, 5 * DAY, 'file="/etc/haproxy/public.pem"'),
            ),
        )

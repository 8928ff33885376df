"""What every host has: names, kernel timers, the cloud's CA. Per host; nothing here needs another host.

The kernel's TCP timers are part of the failure-detection budget. A query in flight through a load balancer that lost
power has nothing to resend, so neither RST nor `tcp_retries2` ends it; only keepalive does, two hours by default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import ClassVar

from fournines.cloud import maintenance, record, versions
from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import EVERY_HOST, Component
from fournines.services import shipping, tls
from fournines.services.capabilities import control_plane
from fournines.services.journal import journal
from fournines.services.options import operators
from fournines.services.resource import Directory, File, Package, Resource, Task
from fournines.services.rotation import Rotation
from fournines.services.safeguard import Safeguard, when
from fournines.services.service import Check, HaPattern, Service
from fournines.services.sysctl import sysctl
from fournines.services.timed import Timed
from fournines.timing import timers

BEGIN, END = "# BEGIN fournines", "# END fournines"


class Base(Service):
    name: ClassVar[str] = "base"
    pattern: ClassVar[HaPattern] = HaPattern.PER_HOST
    roles: ClassVar[tuple[str, ...]] = (EVERY_HOST,)
    component: ClassVar[Component] = "core"
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {
        "sysctl.conf": (
            Timed("", "net.ipv4.tcp_keepalive_time", "tcp_keepalive_time"),
            Timed("", "net.ipv4.tcp_keepalive_intvl", "tcp_keepalive_interval"),
            Timed("", "net.ipv4.tcp_keepalive_probes", "tcp_keepalive_probes"),
            Timed("", "net.ipv4.tcp_retries2", "tcp_retries2"),
            Timed("", "net.ipv4.tcp_syn_retries", "tcp_syn_retries"),
            Timed("", "*net.ipv4.tcp_syn_linear_timeouts", "tcp_syn_linear_timeouts"),
        )
    }

    guarded: ClassVar[tuple[Safeguard, ...]] = (
        Safeguard(
            "sysctl.conf",
            "",
            "net.ipv4.ip_nonlocal_bind",
            when("false"),
            "HAProxy does not start on a host without the VIP: a takeover would have to start it",
            "remove it",
            fatal=True,
        ),
        Safeguard(
            "sysctl.conf",
            "",
            "kernel.panic",
            when("0"),
            "a kernel that panicked stays as it is until a person comes",
            "remove it, or some seconds",
        ),
        Safeguard(
            "journald.conf",
            "Journal",
            "Storage",
            when("volatile", "none"),
            "a host that lost power has forgotten why: what led to an outage is gone with it",
            "persistent",
        ),
    )

    def rotations(self) -> Mapping[str, Rotation]:
        return tls.ROTATIONS

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield _host_name(host)
        yield from _resources(cloud, host.region)
        yield File(maintenance.PATH, maintenance.dumps(_maintenance(cloud, host)))
        if host in control_plane(cloud, host.region):
            yield File(record.PATH, _record(cloud, host.region))
            if cloud.versions.since:
                yield File(versions.PATH, versions.dumps(cloud.versions))
        if cloud.versions.locked:
            yield File(versions.PREFERENCES, _preferences(cloud))
        if cloud.pattern.time == "chrony":
            yield _time_daemon()
        yield from shipping.shipping(cloud, host)

    def units_in(self, cloud: Cloud) -> tuple[str, ...]:
        return (*self.units, *((shipping.UNIT,) if cloud.logs.to else ()))

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check("answers", host.name, "test -e /etc/fournines/ca.crt", within=10)
        if cloud.pattern.time == "chrony":
            yield _synchronised(host)
        yield Check(
            f"is called {host.name}", host.name, f'said=$(uname -n) && echo "$said" && [ "$said" = {host.name} ]', 10
        )


def _maintenance(cloud: Cloud, host: Host) -> maintenance.Entries:
    """What this host keeps of what operators have asked: of its region, or (a compute) of itself."""
    shared = host in control_plane(cloud, host.region)
    kept = {h.name for h in cloud.regions[host.region].hosts} if shared else {host.name}
    return {name: entry for name, entry in cloud.maintenance.items() if name in kept}


@lru_cache(maxsize=8)
def _record(cloud: Cloud, region: str) -> str:
    """The control plane, what leaves, and what has left until nothing of it is left to delete. Not the computes:
    adding one must change no other host."""
    shared = control_plane(cloud, region)
    here = [entry_of(host) for host in cloud.regions[region].hosts if host in shared or host.leaving]
    left = [r.entry for r in cloud.retired.values() if r.entry.region == region and not r.done]
    return record.dumps([*here, *(e for e in left if e.name not in cloud.host_by_name)])


@lru_cache(maxsize=8)
def _preferences(cloud: Cloud) -> str:
    return versions.preferences(cloud.versions)


def entry_of(host: Host) -> record.Entry:
    return record.Entry(
        name=host.name,
        region=host.region,
        zone=host.zone.name,
        address=str(host.address),
        services=tuple(sorted(host.services)),
        state="leaves" if host.leaving else "serves",
        addresses={name: str(address) for name, address in host.addresses.items()},
        devices=dict(host.devices),
        roles=host.roles,
        user=host.ssh.user,
        port=host.ssh.port,
    )


def _host_name(host: Host) -> Task:
    """The operating system's, now and after a boot. oslo.messaging names its queues after it, Galera's and RabbitMQ's
    tools look it up: of two hosts of one name, each takes the other's replies."""
    return Task(
        name="host name",
        check='[ "$(cat /etc/hostname)" = "$(uname -n)" ] && uname -n',
        want=host.name,
        script=f"echo {host.name} > /etc/hostname\nhostname {host.name}",
    )


#: A container has its machine's clock and cannot set it: a lab's hosts, for instance.
_SHARED_CLOCK = "systemd-detect-virt -qc"


def _time_daemon() -> Task:
    """Whichever of them runs is left as it is. Services that report every 5 s are declared down after 20, tokens and
    certificates begin and end at a moment: hosts that disagree by seconds take one another for dead."""
    daemons = "chrony chronyd systemd-timesyncd ntpd ntpsec openntpd ptp4l"
    kept = f"{_SHARED_CLOCK} || systemctl -q is-active {daemons}"
    return Task(
        name="time synchronisation",
        check=f"if {kept}; then echo ok; else echo 'no time daemon runs'; fi",
        script=(
            "export DEBIAN_FRONTEND=noninteractive\n"
            "apt-get -q -y install --no-install-recommends chrony || { apt-get -q update && "
            "apt-get -q -y install --no-install-recommends chrony; }\n"
            "systemctl enable --now chrony"
        ),
        timeout=300,
    )


def _synchronised(host: Host) -> Check:
    """The kernel says so, whichever daemon told it; chrony also says by how much it may be off."""
    within = "! command -v chronyc > /dev/null || chronyc waitsync 1 0.5 > /dev/null"
    hint = "echo 'the clock is not synchronised: see chronyc sources, or set pattern: {time: own}'; exit 1"
    return Check(
        "its clock is synchronised",
        host.name,
        f"if {_SHARED_CLOCK}; then echo 'a container: it has the clock of its machine'; exit 0; fi\n"
        f'[ "$(timedatectl show -P NTPSynchronized)" = yes ] && {{ {within}; }} || {{ {hint}; }}',
        within=180,
    )


@lru_cache(maxsize=8)
def _resources(cloud: Cloud, region: str) -> tuple[Resource, ...]:
    """The same for every host of a region, so made once for ten thousand of them."""
    t = timers(cloud)
    kernel = {
        "net.ipv4.tcp_keepalive_time": t.tcp_keepalive_time,
        "net.ipv4.tcp_keepalive_intvl": t.tcp_keepalive_interval,
        "net.ipv4.tcp_keepalive_probes": t.tcp_keepalive_probes,
        "net.ipv4.tcp_retries2": t.tcp_retries2,
        "net.ipv4.tcp_syn_retries": t.tcp_syn_retries,
        "-net.ipv4.tcp_syn_linear_timeouts": t.tcp_syn_linear_timeouts,
    }
    kernel |= _neighbours(cloud, region)
    return (
        Package("curl"),
        Package("procps"),
        Directory("/etc/fournines"),
        Directory("/usr/lib/fournines"),
        Directory("/var/lib/fournines", mode=0o700),
        File("/etc/tmpfiles.d/fournines.conf", "d /run/fournines 0755 root root -\n"),
        Directory("/run/fournines"),
        File(tls.TRUSTED, tls.trusted(cloud)),
        Directory(tls.DIRECTORY),
        File(tls.CA, tls.internal_ca(cloud)),
        *sysctl("60-fournines.conf", kernel, operators(cloud, "base", "sysctl.conf")),
        *journal(cloud),
        _names(cloud, region),
    )


def _neighbours(cloud: Cloud, region: str) -> dict[str, int]:
    """Room for every host in the kernel's table of neighbours: beyond its limit of 1,024 new ones cannot be reached. In
    powers of two, so that one host more changes nothing on the others; `-`: only the first network namespace has it."""
    room = 1024
    while room < 2 * len(cloud.regions[region].hosts):
        room *= 2
    if room == 1024:
        return {}
    levels = {1: room // 4, 2: room // 2, 3: room}
    return {f"-net.ipv4.neigh.default.gc_thresh{level}": size for level, size in levels.items()}


def _names(cloud: Cloud, region: str) -> Task:
    """The region's control-plane names, and its public VIP's, at the top of /etc/hosts; the rest of the file stays the
    operator's.

    At the top because Debian maps a host's own name to 127.0.1.1, and Erlang's distribution listens on the management
    address only. Computes are left out: adding one must not change every other host.
    """
    lines = [f"{h.address} {h.name}" for h in control_plane(cloud, region)]
    lines += [f"{address} {name}" for name, address in cloud.regions[region].public_hosts.items()]
    block = "\n".join([BEGIN, *lines, END]) + "\n"
    digest = hashlib.sha256(block.encode()).hexdigest()
    return Task(
        name="names in /etc/hosts",
        check=f"sed -n '/^{BEGIN}$/,/^{END}$/p' /etc/hosts | sha256sum | cut -c1-64",
        want=digest,
        script=(
            "set -e\n"
            "cp -p /etc/hosts /etc/hosts.fournines\n"
            f"{{ cat; sed '/^{BEGIN}$/,/^{END}$/d' /etc/hosts; }} > /etc/hosts.fournines\n"
            "mv /etc/hosts.fournines /etc/hosts"
        ),
        stdin=block,
    )

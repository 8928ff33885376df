"""What every host has: names, kernel timers, the cloud's CA. Per host; nothing here needs another host.

The kernel's TCP timers are part of the failure-detection budget. A query in flight through a load balancer that lost
power has nothing to resend, so neither RST nor `tcp_retries2` ends it; only keepalive does, two hours by default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import ClassVar

from fournines.cloud.model import Cloud, Host
from fournines.cloud.roles import EVERY_HOST, Component
from fournines.services.capabilities import control_plane
from fournines.services.options import operators
from fournines.services.resource import Directory, File, Package, Resource, Task
from fournines.services.service import Check, HaPattern, Service
from fournines.services.sysctl import sysctl
from fournines.services.timed import Timed
from fournines.services.tls import ca_certificate
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

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        yield _host_name(host)
        yield from _resources(cloud, host.region)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield Check("answers", host.name, "test -e /etc/fournines/ca.crt", within=10)
        yield Check(
            f"is called {host.name}", host.name, f'said=$(uname -n) && echo "$said" && [ "$said" = {host.name} ]', 10
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
    return (
        Package("curl"),
        Package("procps"),
        Directory("/etc/fournines"),
        Directory("/usr/lib/fournines"),
        Directory("/var/lib/fournines", mode=0o700),
        File("/etc/tmpfiles.d/fournines.conf", "d /run/fournines 0755 root root -\n"),
        Directory("/run/fournines"),
        File("/etc/fournines/ca.crt", ca_certificate(cloud)),
        *sysctl("60-fournines.conf", kernel, operators(cloud, "base", "sysctl.conf")),
        _names(cloud, region),
    )


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

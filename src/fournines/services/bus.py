"""Who signs in to the bus: a service's hosts with the service's account, each compute with accounts of its own.

A compute takes part in the vhosts of Nova and Neutron, so it can say there what any of their services says. It cannot
read what is sent to conductors, schedulers and Neutron's servers, to another host, or as an answer to another host; nor
declare or delete their queues.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fournines.cloud.model import Cloud, Host
from fournines.cloud.secrets import Secret
from fournines.services.accounts import Login, in_use, logins
from fournines.services.capabilities import ServesTopics, UsesMessaging, control_plane, present

#: Ceilometer reads it; others publish, and declare the queues that they publish to.
NOTIFICATIONS = "notifications"


@dataclass(frozen=True)
class BusAccount:
    """The patterns are RabbitMQ's, of queues and exchanges (access control). base: the name that all generations of it
    begin with (`accounts.generations`)."""

    name: str
    vhost: str
    password: Secret = field(repr=False)
    base: str
    configure: str = ".*"
    write: str = ".*"
    read: str = ".*"
    of_host: bool = False


def account(cloud: Cloud, vhost: str, host: Host | None = None) -> BusAccount:
    """The account by which `host` (None: one of the control plane) signs in to `vhost`."""
    return _account(cloud, vhost, host, in_use(cloud, *_named(cloud, vhost, host)))


def secrets(cloud: Cloud, region: str) -> list[str]:
    """Names of the passwords of all accounts of a region."""
    return [_named(cloud, vhost, host)[1] for vhost, host in _signing_in(cloud, region)]


def _named(cloud: Cloud, vhost: str, host: Host | None) -> tuple[str, str]:
    """Base of the account's name, name of its password."""
    if host is None or host in control_plane(cloud, host.region):
        return vhost, f"{vhost}.messaging"
    return f"{vhost}-{host.name}", f"{vhost}.messaging.{host.name}"


def _account(cloud: Cloud, vhost: str, host: Host | None, login: Login) -> BusAccount:
    base, _ = _named(cloud, vhost, host)
    if host is None or host in control_plane(cloud, host.region):
        return BusAccount(login.name, vhost, login.password, base)
    topics = "|".join(re.escape(topic) for topic in served(cloud, host.region, vhost))
    own = re.escape(host.name)
    others = rf"(?!reply_(?!{own}:))(?!(compute|l3_agent|dhcp_agent)\.(?!{own}$))"
    ours = rf"(?!({topics})(\..*)?$)" if topics else ""
    touch = ".*" if vhost == NOTIFICATIONS else f"^{others}{ours}.*"
    read = rf"^{others}(?!({topics})(\..*|_fanout.*)?$).*" if topics else f"^{others}.*"
    return BusAccount(login.name, vhost, login.password, base, touch, touch, read, of_host=True)


def accounts(cloud: Cloud, region: str) -> Iterator[BusAccount]:
    """All of a region: those of vhosts first. In the middle of a rotation each one twice."""
    for vhost, host in _signing_in(cloud, region):
        for login in logins(cloud, *_named(cloud, vhost, host)):
            yield _account(cloud, vhost, host, login)


def _signing_in(cloud: Cloud, region: str) -> Iterator[tuple[str, Host | None]]:
    services = present(cloud, region)
    vhosts = list(dict.fromkeys(name for s in services if isinstance(s, UsesMessaging) for name in s.vhosts))
    yield from ((vhost, None) for vhost in vhosts)
    ours = control_plane(cloud, region)
    for host in cloud.regions[region].hosts:
        # What is on every host has a vhost for `prove` only.
        if host not in ours:
            yield from ((vhost, host) for vhost in vhosts if vhost in OF_COMPUTES)


#: The vhosts that computes take part in.
OF_COMPUTES = ("nova", "neutron", NOTIFICATIONS)


def served(cloud: Cloud, region: str, vhost: str) -> tuple[str, ...]:
    """Topics of `vhost` on which services of the control plane alone listen."""
    found = (s for s in present(cloud, region) if isinstance(s, ServesTopics))
    return tuple(topic for s in found for topic in s.topics.get(vhost, ()))

"""TLS between the load balancers and Swift's proxy. Its own is for tests only: it shakes hands inside of the loop that
accepts, so that one client that stops in the middle stops the proxy.

An HAProxy on each proxy's host takes the connection and hands on what is inside, to the proxy on loopback. It knows
nothing of HTTP: checks, drains and retries stay between the load balancers and the proxy. It lives as long as the proxy
does (`BindsTo`, `Upholds`), so that the port of a dead one refuses, as it would without.
"""

from __future__ import annotations

from collections.abc import Iterable

from fournines.cloud.model import Cloud, Host
from fournines.services import front_door, sandbox, tls
from fournines.services.render import ms, stanzas, template
from fournines.services.resource import File, Package, Resource, Unit
from fournines.timing import timers

UNIT = "swift-proxy-tls.service"
CONFIG = "/etc/swift/proxy-tls.cfg"
CERTIFICATE = "/etc/swift/proxy-tls.pem"
#: Seconds for what is in flight when it stops, as the proxy has them.
_DRAIN = 60


def terminator(cloud: Cloud, host: Host, proxy: str, port: int) -> Iterable[Resource]:
    """In front of the unit `proxy`, which listens on loopback's `port`: on the same port of the host's address."""
    reload, restart = (f"reload:{UNIT}",), (f"restart:{UNIT}",)
    yield Package("haproxy")
    if "haproxy" not in host.services:
        yield Unit("haproxy.service", state="masked")  # the package starts it
    yield File(CERTIFICATE, tls.host_pem(cloud, host), mode=0o640, group="swift", secret=True, triggers=reload)
    yield File(CONFIG, _config(cloud, host, port), triggers=reload)
    text = template(
        "swift/proxy-tls.service.j2",
        proxy=proxy,
        config=CONFIG,
        stop_seconds=_DRAIN + 10,
        sandbox=sandbox.Sandbox(filters=("@system-service",)).lines,
    )
    yield File(f"/etc/systemd/system/{UNIT}", text, triggers=restart)
    yield Unit(UNIT)


def none() -> Resource:
    """For a proxy that listens on the host's address itself: after its unit, which no longer upholds this one."""
    return Unit(UNIT, state="stopped")


def _config(cloud: Cloud, host: Host, port: int) -> str:
    t = timers(cloud)
    # The load balancers give up first, and the proxy before this does.
    idle = ms(2 * max(t.client_timeout, t.server_timeout))
    sections = {
        "global": {
            "log": "stdout format raw local0 notice",
            "hard-stop-after": f"{_DRAIN}s",
            **front_door.TLS,
        },
        "defaults": {
            "mode": "tcp",
            "log": "global",
            "option clitcpka": True,
            "timeout connect": ms(t.connect_timeout),
            "timeout client": idle,
            "timeout server": idle,
            "timeout client-fin": ms(t.connect_timeout),
        },
        "listen swift-proxy": {
            "bind": f"{host.address}:{port} ssl crt {CERTIFICATE}",
            "server": f"proxy 127.0.0.1:{port}",
        },
    }
    return stanzas(sections, {})

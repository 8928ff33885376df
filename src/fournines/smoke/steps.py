"""The steps: what a user of the whole cloud does in his first hour."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fournines.cloud.names import suggest
from fournines.errors import UsageError
from fournines.services import cinder_volume
from fournines.smoke.dashboard import console_page, sign_in
from fournines.smoke.model import TEMPLATE, NotHereError, Site, Step

SIZE = 1 << 20


def authenticate(site: Site) -> str:
    return f"user {site.connection.current_user_id}"


def image(site: Site) -> str:
    """What is read back must be what was sent: an upload whose body got lost is active all the same."""
    content = os.urandom(SIZE)
    made = site.connection.image.create_image(
        name=site.prefix,
        disk_format="raw",
        container_format="bare",
        data=content,
        min_disk=0,
        min_ram=0,
        validate_checksum=True,
    )
    site.made["image"] = made
    made = _until(site, lambda: site.connection.image.get_image(made.id), "active")
    back: bytes = site.connection.image.download_image(made).content
    if back != content:
        raise RuntimeError(f"{len(back)} bytes came back of {SIZE}, or others: {hashlib.sha256(back).hexdigest()}")
    return f"{SIZE} bytes sent and read back"


def network(site: Site) -> str:
    made = site.connection.network.create_network(name=site.prefix)
    subnet = site.connection.network.create_subnet(
        name=site.prefix, network_id=made.id, ip_version=4, cidr="192.0.2.0/24", enable_dhcp=True
    )
    site.made |= {"network": made, "subnet": subnet}
    return f"network and subnet {subnet.cidr}"


def router(site: Site) -> str:
    made = site.connection.network.create_router(name=site.prefix)
    site.connection.network.add_interface_to_router(made, subnet_id=site.made["subnet"].id)
    return f"HA {made.is_ha}"


def port(site: Site) -> str:
    made = site.connection.network.create_port(name=site.prefix, network_id=site.made["network"].id)
    site.made["port"] = made
    return str(made.fixed_ips[0]["ip_address"])


def flavor(site: Site) -> str:
    """Its id."""
    return str(site.connection.compute.create_flavor(name=site.prefix, ram=64, vcpus=1, disk=1).id)


def server(site: Site) -> str:
    compute = site.connection.compute
    made = compute.create_server(
        name=site.prefix,
        flavor_id=flavor(site),
        image_id=site.made["image"].id,
        networks=[{"port": site.made["port"].id}],
    )
    made = _until(site, lambda: compute.get_server(made.id), "active")
    site.made["server"] = made
    return f"active on {made.compute_host}"


def volume(site: Site) -> str:
    made = site.connection.block_storage.create_volume(name=site.prefix, size=1)
    made = _until(site, lambda: site.connection.block_storage.get_volume(made.id), "available")
    site.made["volume"] = made
    return f"available on {made.host}"


def attach(site: Site) -> str:
    fake = cinder_volume.FAKE_DRIVER in {
        cinder_volume.driver(site.cloud, b) for b in cinder_volume.backends(site.cloud)
    }
    if fake and getattr(site.cloud.pattern, "compute", "fake") != "fake":
        raise NotHereError("the volumes' driver keeps nothing that could be attached")
    target, made = site.made["server"], site.made["volume"]
    site.connection.compute.create_volume_attachment(target, volume_id=made.id)
    _until(site, lambda: site.connection.block_storage.get_volume(made.id), "in-use")
    return "in use"


def stack(site: Site) -> str:
    orchestration = site.connection.orchestration
    made = orchestration.create_stack(name=site.prefix, template=TEMPLATE, timeout_mins=5)
    made = _until(site, lambda: orchestration.get_stack(made.id), "create_complete")
    return f"output {made.outputs[0]['output_value']}"


def metric(site: Site) -> str:
    """A measure that is sent is there, counted, when it is asked for."""
    call, url = _metrics(site)
    name = f"{site.prefix}-{uuid.uuid4().hex[:8]}"
    made = call("POST", f"{url}/v1/metric", json={"archive_policy_name": "low", "name": name})
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    call("POST", f"{url}/v1/metric/{made['id']}/measures", json=[{"timestamp": at, "value": 42}])
    deadline = time.monotonic() + site.timeout
    while time.monotonic() < deadline:
        found: list[Any] = call("GET", f"{url}/v1/metric/{made['id']}/measures")
        if any(value == 42 for _, _, value in found):
            return "a measure sent and read back"
        time.sleep(2)
    raise RuntimeError(f"a measure that was accepted was not counted within {site.timeout:g} s")


def console(site: Site) -> str:
    made = site.connection.compute.create_server_remote_console(site.made["server"], protocol="vnc", type="novnc")
    return console_page(site.region, str(made.url), site.ca)


def dashboard(site: Site) -> str:
    return sign_in(site.region, site.cloud.secrets.get("keystone.admin"), site.ca)


STEPS = (
    Step("authenticate", "signs in", ("keystone",), authenticate),
    Step("image", "uploads an image and reads it back", ("glance",), image),
    Step("network", "creates a network and a subnet", ("neutron",), network),
    Step("router", "creates a router", ("neutron",), router, ("network",)),
    Step("port", "creates a port", ("neutron",), port, ("network",)),
    Step("server", "boots a server to ACTIVE", ("nova", "nova_compute"), server, ("image", "port")),
    Step("volume", "creates a volume", ("cinder", "cinder_volume"), volume),
    Step("attach", "attaches the volume", ("cinder", "nova"), attach, ("server", "volume")),
    Step("stack", "creates a stack", ("heat",), stack),
    Step("metric", "sends a measure and reads it back", ("gnocchi",), metric),
    Step("console", "opens the server's console", ("nova",), console, ("server",)),
    Step("dashboard", "signs in to the dashboard", ("horizon",), dashboard),
)


def chosen(names: Sequence[str]) -> tuple[Step, ...]:
    """Those of the names, with all that they build on. Raises UsageError."""
    known = {step.name: step for step in STEPS}
    wanted: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in known:
            raise UsageError(f"there is no step {name}", next=suggest(name, known))
        wanted.add(name)
        todo += known[name].after
    return tuple(step for step in STEPS if step.name in wanted)


def _metrics(site: Site) -> tuple[Any, str]:
    """(call, address) of Gnocchi, of which openstacksdk knows only the endpoint."""
    session: Any = site.connection.session
    url = str(session.get_endpoint(service_type="metric", interface="public", region_name=site.region.name)).rstrip("/")

    def call(method: str, address: str, **options: Any) -> Any:
        reply = session.request(address, method, **options)
        return reply.json() if reply.content else None

    return call, url


def _until(site: Site, look: Any, wanted: str) -> Any:
    """What `look` gives once its status is `wanted`. Raises when it is an error, or when it takes too long."""
    deadline = time.monotonic() + site.timeout
    while True:
        found = look()
        status = str(found.status).lower()
        if status == wanted:
            return found
        if "error" in status or "failed" in status:
            fault = getattr(found, "fault", None) or getattr(found, "status_reason", None)
            raise RuntimeError(f"became {status}: {fault or 'no reason given'}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"still {status} after {site.timeout:g} s")
        time.sleep(0.5)

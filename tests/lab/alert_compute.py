"""What makes the alerts of Nova's and Neutron's parts fire: on a small cloud with `components: compute`, whose two
hosts of the role `network` share a router."""

from __future__ import annotations

import time

from lab.alert_faults import Site, Struck
from lab.conftest import OpenStack

ROUTER = "alert-router"


def with_a_router(openstack: OpenStack, within: float = 90.0) -> str:
    """Its identifier, once one host forwards for it. Raises RuntimeError."""
    made = openstack("router", "create", "--ha", ROUTER)["id"]
    deadline = time.monotonic() + within
    while _states(openstack) != ["active", "standby"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{ROUTER} is {_states(openstack)}")
        time.sleep(2)
    return made


def _states(openstack: OpenStack) -> list[str]:
    return sorted(agent["HA State"] for agent in openstack("network", "agent", "list", "--router", ROUTER, "--long"))


def _inside(site: Site, script: str, *, quietly: bool = False) -> None:
    """In the router's namespace, on each host that has it."""
    for host in (h.name for h in site.cloud.hosts_of("neutron_agents", site.region.name)):
        run = site.quietly if quietly else site.run
        run(host, f"for n in $(ip netns list | grep -o 'qrouter-[^ ]*'); do ip netns exec $n sh -ec '{script}'; done")


def _link(state: str) -> str:
    return f'for l in $(ip -o link | grep -o "ha-[^:@]*"); do ip link set $l {state}; done'


def _compute(site: Site) -> str:
    return site.cloud.hosts_of("nova_compute", site.region.name)[0].name


#: One after another.
COMPUTE: tuple[Struck, ...] = (
    Struck(
        ("OpenstackAgentDown",),
        lambda s: s.run(_compute(s), "systemctl stop nova-compute") and None,
        lambda s: s.quietly(_compute(s), "systemctl start nova-compute"),
    ),
    Struck(
        ("RouterActiveTwice",),
        lambda s: _inside(s, "iptables -I INPUT -p 112 -j DROP"),
        lambda s: _inside(s, "iptables -D INPUT -p 112 -j DROP", quietly=True),
    ),
    Struck(("RouterNotActive",), lambda s: _inside(s, _link("down")), lambda s: _inside(s, _link("up"), quietly=True)),
)

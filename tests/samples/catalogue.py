"""The core's services as the cloud layer is told of them, fixed here: what else there is must not change its tests."""

from __future__ import annotations

from fournines.cloud.roles import EVERY_HOST, Catalogue, Entry

CORE: Catalogue = {
    "base": Entry((EVERY_HOST,), "core", per_host=True),
    "agent": Entry((EVERY_HOST,), "core", ("base",), per_host=True),
    "mariadb": Entry(("database",), "core", ("base", "agent")),
    "rabbitmq": Entry(("messaging",), "core", ("base", "agent")),
    "memcached": Entry(("controller",), "core", ("base", "agent")),
    "haproxy": Entry(("endpoint",), "core", ("mariadb", "rabbitmq", "memcached")),
    "keepalived": Entry(("endpoint",), "core", ("haproxy",)),
    "keystone": Entry(("controller",), "core", ("mariadb", "memcached", "haproxy", "keepalived")),
}
#: With services of every other kind of role.
MORE: Catalogue = {
    **CORE,
    "images": Entry(("controller",), "compute", ("keystone",)),
    "objects": Entry(("storage",), "compute"),
    "nets": Entry(("controller",), "compute", ("keystone", "rabbitmq")),
    "nets_agents": Entry(("network",), "compute", ("nets",)),
    "nets_l2": Entry(("network", "compute"), "compute", ("nets",), per_host=True),
    "metrics": Entry(("controller",), "full", ("keystone",)),
}

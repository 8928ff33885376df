"""Nova's control plane on every controller: API, metadata, conductor, scheduler and console proxy, all active.

Cells v2: `cell0` for what never reached a host, `cell1` for everything else. Their addresses are templates that Nova
fills in from its own file, so that a password that is rotated, or a broker that moves, changes no row, and none of them
holds a password. Another cell is one more mapping.

The API runs under eventlet, whose locks do not bear several threads of one process: it grows by processes.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.roles import Component
from fournines.services import broker, consoles, endpoints, openstack, tls, units
from fournines.services.capabilities import UWSGI, Account, CatalogueEntry, Frontend, Function, Movable, Registration
from fournines.services.render import Sections, program
from fournines.services.resource import File, Package, Resource, Task
from fournines.services.safeguard import Safeguard, Setting, both, is_set, when, without
from fournines.services.schema import schema
from fournines.services.service import Check, HaPattern, Rolling, Service
from fournines.services.timed import Timed
from fournines.timing import timers

CONFIG = "/etc/nova/nova.conf"
CELLS = "/usr/lib/fournines/nova-cells"
CONSOLE_PORT = 6080
CONSOLE_PAGE = "/vnc_lite.html"
CONSOLE_CERTIFICATE = f"{tls.DIRECTORY}/nova-novncproxy.pem"
API = units.Wsgi(
    unit="nova-api.service",
    service="nova",
    description="OpenStack Nova API",
    user="nova",
    port=8774,
    application={"wsgi-file": "/usr/bin/nova-api-wsgi"},
    check="/",  # the versions: its health check is behind a token
    workers=2,
    threads=1,
    config=CONFIG,
    asked="/v2.1/servers?limit=1",
)
METADATA = units.Wsgi(
    unit="nova-api-metadata.service",
    service="nova",
    description="OpenStack Nova metadata API",
    user="nova",
    port=8775,
    application={"wsgi-file": "/usr/bin/nova-metadata-wsgi"},
    threads=1,
)


def _daemon(name: str, what: str, section: str = "") -> units.Daemon:
    return units.Daemon(
        unit=f"nova-{name}.service",
        service="nova",
        description=f"OpenStack Nova {what}",
        user="nova",
        command=f"/usr/bin/nova-{name} --config-file {CONFIG}",
        config="nova.conf",
        workers=((section, "workers"),) if section else (),
    )


CONDUCTOR = _daemon("conductor", "conductor", "conductor")
SCHEDULER = _daemon("scheduler", "scheduler", "scheduler")
#: It writes a line for each check, whose connection HAProxy resets.
CONSOLE = replace(
    _daemon("novncproxy", "console proxy"),
    command=f"{consoles.PROXY} --config-file {CONFIG}",
    quiet=("websocketproxy .*handler exception: .*Connection reset by peer",),
)
#: Seconds between two checks of the console proxy. It forks for each, some 80 ms of CPU with TLS (an estimate: its CPU
#: by the number of its checks). Faster checks after a failed one kept proxies busy for minutes once they had been slow.
#: A connection that is refused goes elsewhere.
_CONSOLE_INTER = 10.0
#: The timers in its file, beside those of every service's.
TIMED = (
    Timed("DEFAULT", "report_interval", "report_interval"),
    Timed("DEFAULT", "service_down_time", "service_down"),
    *(Timed(s, "timeout", "api_timeout") for s in ("glance", "neutron", "placement", "cinder", "keystone")),
)


def _isolates(setting: Setting) -> bool:
    return any(h.projects for h in setting.cloud.hosts)


class Nova(Service):
    name: ClassVar[str] = "nova"
    pattern: ClassVar[HaPattern] = HaPattern.ACTIVE_ACTIVE
    roles: ClassVar[tuple[str, ...]] = ("controller",)
    component: ClassVar[Component] = "compute"
    needs: ClassVar[tuple[str, ...]] = ("keystone", *broker.SERVICES, "placement")
    after: ClassVar[tuple[str, ...]] = ("glance", "neutron")
    first_start: ClassVar[Rolling] = "first-alone"
    units: ClassVar[tuple[str, ...]] = (API.unit, METADATA.unit, CONDUCTOR.unit, SCHEDULER.unit, CONSOLE.unit)
    databases: ClassVar[tuple[str, ...]] = ("nova_api", "nova", "nova_cell0:nova")
    vhosts: ClassVar[tuple[str, ...]] = ("nova",)
    topics: ClassVar[Mapping[str, tuple[str, ...]]] = {"nova": ("conductor", "scheduler")}
    namespaces: ClassVar[Mapping[str, tuple[str, ...]]] = {"nova.conf": ("nova.conf",), "uwsgi.ini": UWSGI}
    timed: ClassVar[Mapping[str, tuple[Timed, ...]]] = {"nova.conf": TIMED}
    guarded: ClassVar[tuple[Safeguard, ...]] = (
        *openstack.guards("nova.conf"),
        *openstack.each_host("nova.conf", "DEFAULT", "host", "my_ip"),
        *openstack.each_host("nova.conf", "vnc", "novncproxy_host", "server_listen", "server_proxyclient_address"),
        *(
            Safeguard(
                "nova.conf",
                "libvirt",
                "*",
                is_set,
                "computes read nova-compute.conf only: it has no effect",
                'services.nova_compute.options."nova-compute.conf"',
                fatal=True,
            ),
            Safeguard(
                "nova.conf",
                "neutron",
                "metadata_proxy_shared_secret",
                is_set,
                "it is a secret, and the agents have another one",
                "remove it",
                fatal=True,
            ),
            Safeguard(
                "nova.conf", "neutron", "service_metadata_proxy", when("false"), "servers get no metadata", "remove it"
            ),
            Safeguard(
                "nova.conf",
                "filter_scheduler",
                "enabled_filters",
                without("ComputeFilter"),
                "servers are placed on computes that are down",
                "ComputeFilter among them",
            ),
            Safeguard(
                "nova.conf",
                "filter_scheduler",
                "enabled_filters",
                both(_isolates, without("AggregateMultiTenancyIsolation")),
                "hosts that are a project's own take anybody's servers",
                "AggregateMultiTenancyIsolation among them",
            ),
        ),
    )
    functions: ClassVar[tuple[Function, ...]] = (
        Function("list_servers", "lists servers"),
        Function(
            "boot_server",
            "boots a server",
            needs=("nova_compute", "neutron", "neutron_l2", "glance", "placement"),
            also=("swift",),
        ),
    )

    def movable(self, cloud: Cloud) -> tuple[Movable, ...]:
        console = Movable(CONSOLE.unit, CONSOLE_PORT, CONSOLE_PAGE)
        return (*units.movable(API, METADATA, CONDUCTOR, SCHEDULER), console)

    def desired(self, cloud: Cloud, host: Host) -> Iterable[Resource]:
        region = cloud.region_of(host)
        for package in ("nova-api", "nova-conductor", "nova-scheduler", "nova-consoleproxy", "novnc"):
            yield Package(package)
        sections = openstack.merged(
            openstack.common(),
            openstack.messaging(cloud, region, "nova"),
            openstack.notifications(cloud, region, "nova"),
            openstack.database(cloud, region, "nova_api", section="api_database"),
            openstack.database(cloud, region, "nova"),
            openstack.authtoken(cloud, host, "nova"),
            shared(cloud, host),
            _own(cloud, host),
        )
        if tls.apis(cloud):
            pem = tls.host_pem(cloud, host)
            triggers = (f"restart:{CONSOLE.unit}",)
            yield File(CONSOLE_CERTIFICATE, pem, mode=0o640, group="nova", secret=True, triggers=triggers)
        yield from consoles.proxy(cloud, region, host, CONSOLE.unit)
        yield openstack.config_file(cloud, self.name, CONFIG, sections, group="nova", units=self.units)
        if host == cloud.hosts_of(self.name, host.region)[0]:
            yield from _tables(cloud, region)
        for api in (API, METADATA):
            yield from units.wsgi(cloud, host, api)
        for daemon in (CONDUCTOR, SCHEDULER, CONSOLE):
            yield from units.daemon(cloud, daemon)

    def checks(self, cloud: Cloud, host: Host) -> Iterable[Check]:
        yield from units.answers(cloud, host, API)
        for daemon in (CONDUCTOR, SCHEDULER, CONSOLE):
            yield units.runs(cloud, host, daemon.unit)

    def hands_over(self, cloud: Cloud, host: Host, name: str) -> Iterable[Resource]:
        url = endpoints.internal(cloud, cloud.region_of(host), API.port, f"/v2.1/servers?all_tenants=1&host={name}")
        said = f"{name} has servers: migrate or delete them first, then run the same command again"
        yield units.none_listed(f"{name} has no servers", CONFIG, url, "servers", refused=said)

    def forgets(self, cloud: Cloud, host: Host, name: str) -> Iterable[Resource]:
        url = endpoints.internal(cloud, cloud.region_of(host), API.port, f"/v2.1/os-services?host={name}")
        yield units.none_listed(f"Nova has no services on {name}", CONFIG, url, "services")

    def frontends(self, cloud: Cloud, region: Region) -> tuple[Frontend, ...]:
        console = Frontend(
            CONSOLE.name,
            CONSOLE_PORT,
            "http",
            check=CONSOLE_PAGE,
            public=True,
            inter=_CONSOLE_INTER,
            forks=True,
            encrypts=True,
            settings={"timeout tunnel": "1h"},  # a console is a WebSocket, and may be silent
        )
        # Neutron's metadata agents say, signed, for which server they ask.
        metadata = replace(units.frontend(cloud, METADATA, public=False), behind_proxy=True)
        return (units.frontend(cloud, API), metadata, console)

    def registration(self, cloud: Cloud, region: Region) -> Registration:
        entry = CatalogueEntry("compute", "nova", API.port, "/v2.1")
        projects = dict.fromkeys(p for h in region.hosts for p in h.projects)
        return Registration((entry,), (Account("nova"),), projects=tuple(projects))


def shared(cloud: Cloud, host: Host) -> Sections:
    """What the control plane and the computes have in common: who they are, and how they reach other services."""
    region, t = cloud.region_of(host), timers(cloud)
    account = openstack.client(cloud, region, "nova")
    credentials = openstack.credentials(cloud, region, "nova")
    session = {name: value for name, value in account.items() if name not in credentials}
    sections: dict[str, dict[str, Any]] = {
        "DEFAULT": {
            "host": host.name,
            "my_ip": host.address,
            "state_path": "/var/lib/nova",
            "report_interval": math.ceil(t.report_interval),
            "service_down_time": math.ceil(t.service_down),
        },
        "glance": {**session, **tls.cafile(cloud), "num_retries": 0},
        "neutron": {**account, "http_retries": 0},
        "placement": account,
        "upgrade_levels": {"compute": "auto"},
        "vnc": {
            "enabled": True,
            "novncproxy_base_url": endpoints.public(region, CONSOLE_PORT, CONSOLE_PAGE),
        },
    }
    if cloud.hosts_of("cinder", region.name):
        sections["cinder"] = {
            **credentials,
            "os_region_name": region.name,
            "catalog_info": "volumev3:cinderv3:internalURL",
            "timeout": session["timeout"],
            "http_retries": 0,
        }
    return openstack.merged(sections, openstack.service_user(cloud, region, "nova"))


def _own(cloud: Cloud, host: Host) -> Sections:
    region = cloud.region_of(host)
    sections: dict[str, dict[str, Any]] = {
        "neutron": {"service_metadata_proxy": True, "metadata_proxy_shared_secret": metadata_secret(cloud)},
        "keystone": openstack.client(cloud, region, "nova"),
        "vnc": {"novncproxy_host": host.address, "novncproxy_port": CONSOLE_PORT},
    }
    if tls.apis(cloud):
        sections["DEFAULT"] = {"ssl_only": True, "cert": CONSOLE_CERTIFICATE, "key": CONSOLE_CERTIFICATE}
    if any(h.projects for h in region.hosts):
        filters = (
            *("ComputeFilter", "ComputeCapabilitiesFilter", "ImagePropertiesFilter"),
            *("ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter", "AggregateMultiTenancyIsolation"),
        )
        sections["filter_scheduler"] = {"enabled_filters": ",".join(filters)}
    return openstack.merged(sections, consoles.options(cloud))


def metadata_secret(cloud: Cloud) -> str:
    """What Neutron's metadata agents sign with, so that no server can ask in another one's name."""
    return cloud.secrets.get("nova.metadata")


def _tables(cloud: Cloud, region: Region) -> Iterable[Resource]:
    """The API's tables, then the cells, then the tables of all cells: in this order, for each needs the one before."""
    yield from schema(
        "nova_api",
        config=CONFIG,
        section="api_database",
        versions="nova/db/api/migrations/versions",
        user="nova",
        sync="nova-manage api_db sync",
    )
    yield File(CELLS, program("nova_cells.py"), mode=0o755)
    transport = shlex.quote(_transport_template(len(broker.addresses(cloud, region))))
    yield Task(
        name="nova cells",
        check=f"{CELLS} check {transport}",
        python=True,
        script=f"runuser -u nova -- {CELLS} apply {transport}",
        timeout=300,
        # A conductor or scheduler reads the mappings when it starts.
        triggers=tuple(f"restart:{unit}" for unit in (API.unit, METADATA.unit, CONDUCTOR.unit, SCHEDULER.unit)),
    )
    yield from schema(
        "nova",
        config=CONFIG,
        versions="nova/db/main/migrations/versions",
        user="nova",
        sync="nova-manage db sync",  # of cell0, then of [database]
    )


def _transport_template(nodes: int) -> str:
    """`transport_url` as a cell mapping has it: Nova numbers the parts of several nodes."""
    numbers = ("",) if nodes == 1 else range(1, nodes + 1)
    each = ",".join(f"{{username{n}}}:{{password{n}}}@{{hostname{n}}}:{{port{n}}}" for n in numbers)
    return f"{{scheme}}://{each}/{{path}}"

"""What the daemons of monitoring have in common: who may read metrics, and how they are asked for their certificate.

Every listener speaks TLS and lets in those alone who show a certificate of the group `prometheus` (an authority of its
own, `tls.member_ca`): the Prometheus and Alertmanager daemons of the region, and whom `fournines export prometheus` is
given to. These daemons read their certificates again at each handshake, so that a renewed one needs no restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fournines.cloud.model import Cloud, Host
from fournines.services import tls
from fournines.services.drop_in import drop_in
from fournines.services.render import HEADER, yaml
from fournines.services.resource import Directory, File, Resource, Unit
from fournines.services.service import Check

#: Service whose hosts read metrics, and group of certificates.
READER = "prometheus"
#: User of all these daemons, in Debian.
USER = "prometheus"
DIRECTORY = "/etc/fournines/monitoring"
CERTIFICATES = f"{tls.DIRECTORY}/monitoring"
SERVER = f"{CERTIFICATES}/server.pem"
CLIENTS = f"{CERTIFICATES}/clients.pem"
#: On hosts of the role alone.
CLIENT = f"{CERTIFICATES}/client.pem"
WEB = f"{DIRECTORY}/web.yml"
#: Where HAProxy and RabbitMQ tell theirs.
HAPROXY_PORT, RABBITMQ_PORT = 8406, 15691
#: MiB that an exporter may use before it is slowed down.
EXPORTER_MEMORY = 64


def monitored(cloud: Cloud, region: str) -> bool:
    """Whether anybody reads the metrics of `region`: hosts of the role `monitoring`, or the operator's own servers."""
    return bool(cloud.hosts_of(READER, region) or cloud.regions[region].scrapers)


def listener(cloud: Cloud, host: Host) -> Iterable[Resource]:
    """Certificates and TLS settings of every listener of this user, once its package is there."""
    yield from tls.files(
        CERTIFICATES,
        USER,
        (),
        server=tls.host_pem(cloud, host),
        clients=tls.member_ca(cloud, host.region, READER),
    )
    yield Directory(DIRECTORY)
    yield File(WEB, yaml({"tls_server_config": server_tls(SERVER, CLIENTS)}))


def server_tls(certificate: str, clients: str) -> dict[str, Any]:
    """exporter-toolkit's `tls_server_config`; Alertmanager's cluster has the same."""
    return {
        "cert_file": certificate,
        "key_file": certificate,
        "client_ca_file": clients,
        "client_auth_type": "RequireAndVerifyClientCert",
        "min_version": "TLS12",
    }


def client_tls(ca: str = tls.CA, certificate: str = CLIENT) -> dict[str, str]:
    """`tls_config` of Prometheus' own clients."""
    return {"ca_file": ca, "cert_file": certificate, "key_file": certificate}


def daemon(package: str, unit: str, arguments: Iterable[str], memory: int = EXPORTER_MEMORY) -> Iterable[Resource]:
    """A package of Debian's whose unit reads ARGS from /etc/default. memory: MiB from which on it is slowed down."""
    restart = (f"restart:{unit}",)
    yield File(f"/etc/default/{package}", f'{HEADER}ARGS="{" ".join(arguments)}"\n', triggers=restart)
    yield from drop_in(unit, "monitoring/unit.conf.j2", triggers=restart, memory=memory)
    yield Unit(unit)


def refuses(host: Host, what: str, port: int, unit: str) -> Check:
    """An exporter's host has no certificate of the group: to be refused for that is the answer that it can get. curl
    ends with 35 where the handshake says so (TLS 1.2), with 52 to 56 where it comes behind it (1.3)."""
    script = (
        "status=0\n"  # a check ends at the first command that fails
        f"curl -sS -m 3 -o /dev/null --cacert {tls.CA} https://{host.address}:{port}/metrics || status=$?\n"
        "case $status in\n"
        "35 | 52 | 55 | 56) ;;\n"
        "0) echo 'it lets in clients without a certificate' >&2; exit 1 ;;\n"
        "*) exit 1 ;;\n"
        "esac"
    )
    return Check(f"{what} asks for a certificate", host.name, script, 60, unit)


def ready(host: Host, what: str, port: int, unit: str) -> Check:
    """Of Prometheus and Alertmanager, whose hosts have a certificate of the group."""
    asked = f"curl -fsS -m 3 -o /dev/null --cacert {tls.CA} --cert {CLIENT} https://{host.address}:{port}/-/ready"
    return Check(f"{what} is ready", host.name, asked, 60, unit)

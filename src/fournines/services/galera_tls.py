"""TLS of MariaDB with Galera: between members, in state transfers, with clients; and how a running group gets there.

Members know one another by certificates of an authority that signs for them alone (`tls.member_pem`). `docs/decisions`,
44, says what was seen of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fournines.cloud.model import Cloud, Host
from fournines.services import tls
from fournines.services.render import ini
from fournines.services.resource import File, Resource, Task

GROUP = "mariadb"
TRANSFER = "/etc/mysql/mariadb.conf.d/98-fournines-transfer.cnf"
CERTIFICATES = "/etc/mysql/fournines"


def certificates(cloud: Cloud, host: Host, triggers: tuple[str, ...]) -> Iterable[Resource]:
    """Of the node on `host`, for MariaDB's user."""
    if tls.encrypted(cloud):
        yield from tls.files(
            CERTIFICATES,
            "mysql",
            triggers,
            server=tls.database_pem(cloud, host),
            member=tls.member_pem(cloud, host, GROUP),
            members=tls.member_ca(cloud, host.region, GROUP),
        )


def server(cloud: Cloud) -> dict[str, Any]:
    """Of clients. The agent and other root programs of the host use the local socket, which counts as secure."""
    if not tls.encrypted(cloud):
        return {"ssl": False}  # by default 11.4 and newer make a certificate that nobody can check
    return {
        "ssl_ca": tls.CA,
        "ssl_cert": f"{CERTIFICATES}/server.pem",
        "ssl_key": f"{CERTIFICATES}/server.pem",
        "require_secure_transport": tls.required(cloud),
    }


def local_clients(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Sections for the host's own clients: the agent, checks, and the donor's mariadb-backup. From 11.4 on they
    insist on TLS over the local socket too, and a donor that may not sign in has every joiner start again for ever."""
    return {} if tls.encrypted(cloud) else {"client": {"ssl": False}}


def transport(cloud: Cloud) -> str:
    """What an account must come by: after `REQUIRE` in SQL."""
    return "ssl" if tls.required(cloud) else "none"


def replication(cloud: Cloud, certificates: str) -> dict[str, str]:
    """Of replication and incremental state transfer. Galera asks the other side for its certificate, both ways. A
    member with `socket.dynamic` speaks both."""
    if not tls.encrypted(cloud):
        return {}
    return {
        **({"socket.ssl": "yes"} if tls.required(cloud) else {"socket.dynamic": "yes"}),
        "socket.ssl_ca": f"{certificates}/members.pem",
        "socket.ssl_cert": f"{certificates}/member.pem",
        "socket.ssl_key": f"{certificates}/member.pem",
    }


def transfer(cloud: Cloud, host: Host) -> Iterable[Resource]:
    """What both ends of a state transfer read when it begins: a member that restarts has one, however little it missed.
    They must agree, so this changes in the agent's stage, on all hosts at once, before the first member restarts. That
    is the last step of a change: the certificates came with the one before."""
    if GROUP not in host.services:
        return
    member = f"{CERTIFICATES}/member.pem"
    encryption = {
        "encrypt": 3,
        "ssl-mode": "VERIFY_CA",
        "tca": f"{CERTIFICATES}/members.pem",
        "tcert": member,
        "tkey": member,
    }
    yield File(TRANSFER, ini({"sst": encryption if tls.required(cloud) else {"encrypt": 0}}, {}))


def step(cloud: Cloud, config: str, unit: str) -> Task:
    """Refuses a change that would leave the members unable to speak to one another while it rolls."""
    other = {"required": "off", "off": "required"}.get(cloud.tls.internal, "none")
    return Task(
        name="the members can change over one by one",
        check=(
            f"[ -e {config} ] && systemctl -q is-active {unit} || {{ echo ok; exit 0; }}\n"
            f"case $(grep ^wsrep_provider_options {config}) in\n"
            "*socket.ssl=yes*) now=required ;; *socket.dynamic=yes*) now=optional ;; *) now=off ;;\nesac\n"
            f'[ $now = {other} ] && echo "$now: needs tls.internal optional first" || echo ok'
        ),
        script=(
            f"echo 'Galera cannot go from tls.internal {other} to {cloud.tls.internal} one member after another:"
            " apply with `tls: {internal: optional}` first, then with this one' >&2\nexit 1"
        ),
    )

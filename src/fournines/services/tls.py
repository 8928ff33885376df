"""Certificates of a cloud: for the public VIP (or the operator's own), and inside for every server and every member.

Inside there are two kinds. A *server* shows its certificate to clients, who check it against the cloud's CA and by the
address that they asked for. A *member* of a group that trusts whoever belongs to it (Galera, Erlang's distribution)
shows its own in both directions, under an authority that signs for that group alone: with one authority for all, any
host's certificate, a compute's as well, would open every group.

Keys are made on first use and kept among the cloud's secrets; certificates too, so that rendering twice gives the same
bytes. One whose names no longer fit is signed anew for the same key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address

from fournines.cloud.model import Cloud, Host, Region
from fournines.cloud.secrets import OTHER
from fournines.errors import CloudFileError
from fournines.services.certificate import Own, own
from fournines.services.pki import Subject, common_name, expired, fits, is_authority, new_key, sign, sign_ca
from fournines.services.resource import Directory, File, Resource
from fournines.services.rotation import AtOnce, Phase, Rotation

#: Secret of the cloud's CA, without its suffixes.
CLOUD_CA = "tls.ca"
DIRECTORY = "/etc/fournines/tls"
#: What services inside check one another's certificates against: the cloud's CA alone.
CA = f"{DIRECTORY}/ca.crt"
#: What clients of either VIP check with: that, and what the operator's own certificate of the public VIP ends in.
TRUSTED = "/etc/fournines/ca.crt"


def encrypted(cloud: Cloud) -> bool:
    """Whether clients inside use TLS."""
    return cloud.tls.internal != "off"


def required(cloud: Cloud) -> bool:
    """Whether servers inside refuse what is not TLS."""
    return cloud.tls.internal == "required"


def apis(cloud: Cloud) -> bool:
    """Whether the APIs speak TLS to the load balancers, and these to clients inside. In the middle of a change the load
    balancers take both, on both sides; the APIs and their clients change over with its last step."""
    return required(cloud)


def scheme(cloud: Cloud) -> str:
    """Of an API's address inside."""
    return "https" if apis(cloud) else "http"


def cafile(cloud: Cloud) -> dict[str, str]:
    """For a section that keystoneauth reads."""
    return {"cafile": CA} if apis(cloud) else {}


def ca_certificate(cloud: Cloud) -> str:
    """PEM of what clients verify the public VIP with: the operator's `tls.ca`, or what their certificate's chain ends
    in, else the cloud's own CA. Raises CloudFileError with the place of what is wrong with theirs."""
    theirs = _own(cloud)
    return theirs.anchor if theirs else internal_ca(cloud)


def internal_ca(cloud: Cloud) -> str:
    """PEM of the cloud's own CA; in the middle of its rotation, of both."""
    return _authority(cloud, CLOUD_CA, f"fournines CA of {cloud.name}")


def trusted(cloud: Cloud) -> str:
    """PEM of both, for a client of either VIP."""
    return "".join(dict.fromkeys([ca_certificate(cloud), internal_ca(cloud)]))


def system_trusts(cloud: Cloud) -> bool:
    """Whether users' machines verify the public VIP without being told of a CA."""
    theirs = _own(cloud)
    return bool(theirs and theirs.system)


def server_pem(cloud: Cloud, region: Region) -> str:
    """Certificate, chain and key for the public VIP, in the one file that HAProxy reads. A secret."""
    theirs = _own(cloud)
    if theirs:
        return theirs.server
    name = f"tls.{region.name}.{region.vips.public}"  # a new VIP is a new key
    return _issued(cloud, name, Subject(tuple(region.public_hosts), (region.vips.public,)), CLOUD_CA)


def internal_pem(cloud: Cloud, region: Region) -> str:
    """The same for the internal VIP. A secret."""
    name = f"tls.{region.name}.internal"
    return _issued(cloud, name, Subject((), (region.vips.internal,)), CLOUD_CA)


def host_pem(cloud: Cloud, host: Host) -> str:
    """Certificate and key of the servers on `host`: its name, and its addresses. A secret."""
    return _issued(cloud, f"tls.host.{host.name}", Subject((host.name,), _addresses(host)), CLOUD_CA)


def controller_pem(cloud: Cloud, host: Host) -> str:
    """The same for the power controller of `host`, where it has no certificate of its own: in the lab. A secret."""
    assert host.bmc
    return _issued(cloud, f"tls.bmc.{host.name}", Subject((), (host.bmc.address,)), "tls.ca")


def database_pem(cloud: Cloud, host: Host) -> str:
    """The same for a database that clients reach by the internal VIP, or at an address of its own: with these, too. A
    secret."""
    vips = cloud.region_of(host).vips
    own = [vips.moving["database"]] if "database" in vips.moving else []
    addresses = (*_addresses(host), vips.internal, *own)
    return _issued(cloud, f"tls.database.{host.name}", Subject((host.name,), addresses), CLOUD_CA)


def broker_pem(cloud: Cloud, host: Host) -> str:
    """The same for a message broker: with the addresses of all of its region, for a client that goes to the next one
    goes on asking for the name of the first (kombu); or with the one that moves with it. A secret."""
    moving = cloud.region_of(host).vips.moving
    brokers = [h.address for h in cloud.hosts_of("rabbitmq", host.region)]
    brokers += [moving["messaging"]] if "messaging" in moving else []
    subject = Subject((host.name,), tuple(dict.fromkeys([*_addresses(host), *brokers])))
    return _issued(cloud, f"tls.broker.{host.name}", subject, CLOUD_CA)


def member_ca(cloud: Cloud, region: str, group: str) -> str:
    """PEM of the authority that signs for the members of `group` (a service's name) in `region`, and nobody else; in
    the middle of its rotation, of both."""
    return _authority(cloud, _group(region, group), f"fournines {group} of {cloud.name} {region}")


def member_pem(cloud: Cloud, host: Host, group: str) -> str:
    """Certificate and key of `host` as a member of `group`. A secret."""
    subject = Subject((host.name,), _addresses(host), client=True)
    member_ca(cloud, host.region, group)
    return _issued(cloud, f"{_group(host.region, group)}.{host.name}", subject, _group(host.region, group))


def named_pem(cloud: Cloud, host: Host, group: str, name: str) -> str:
    """The same under another name, where that is what the other side asks for. A secret."""
    member_ca(cloud, host.region, group)
    secret = f"{_group(host.region, group)}.{host.name}.{name}"
    return _issued(cloud, secret, Subject((name,), (), client=True), _group(host.region, group))


def client_pem(cloud: Cloud, region: str, group: str) -> str:
    """Certificate and key with which programs outside the cloud come to the servers of `group`. Kept: each export has
    the same. A secret."""
    member_ca(cloud, region, group)
    return _issued(cloud, f"tls.outside.{region}.{group}", Subject((group,), (), client=True), _group(region, group))


def console_ca(cloud: Cloud, host: Host) -> str:
    """PEM of the authority that signs for the consoles on `host`, and nothing else (`services.consoles`)."""
    return _authority(cloud, f"tls.console.{host.name}", f"fournines consoles of {cloud.name} {host.name}")


def console_pem(cloud: Cloud, host: Host) -> str:
    """Certificate and key of the consoles on `host`. A secret."""
    console_ca(cloud, host)
    name = f"tls.console.{host.name}"
    return _issued(cloud, f"{name}.server", Subject((host.name,), _addresses(host)), name)


def operator_pem(cloud: Cloud, names: tuple[str, ...], addresses: tuple[IPv4Address, ...]) -> str:
    """Certificate and key of a server of the operator's, under the cloud's own CA. Not kept: each has a key of its own.
    A secret."""
    key = new_key()
    return sign(Subject(names, addresses), key, internal_ca(cloud), cloud.secrets.get("tls.ca.key")) + key


def expired_pem(cloud: Cloud, pem: str) -> str:
    """What the cloud's CA once signed, as if it had expired. A secret."""
    internal_ca(cloud)
    return expired(pem, cloud.secrets.get(f"{CLOUD_CA}.certificate"), cloud.secrets.get(f"{CLOUD_CA}.key"))


def files(directory: str, owner: str, triggers: tuple[str, ...], **pems: str) -> Iterable[Resource]:
    """`directory` with NAME.pem for each of `pems`, for `owner` alone to read: public certificates beside keys."""
    yield Directory(directory, mode=0o750, group=owner)
    for name, pem in pems.items():
        secret = "PRIVATE KEY" in pem
        yield File(f"{directory}/{name}.pem", pem, mode=0o640, group=owner, secret=secret, triggers=triggers)


def _addresses(host: Host) -> tuple[IPv4Address, ...]:
    return tuple(dict.fromkeys([host.address, *host.addresses.values()]))


def _group(region: str, group: str) -> str:
    return f"tls.members.{region}.{group}"


def _authority(cloud: Cloud, secret: str, name: str) -> str:
    """Certificate of the authority `secret`.key, and of the other one, in an order that does not change when the two
    change places: what trusts both need not be told."""
    key = cloud.secrets.get(f"{secret}.key", new_key)
    own = cloud.secrets.get(f"{secret}.certificate", lambda: sign_ca(name, key))
    other = cloud.secrets.other(f"{secret}.certificate")
    return own if other is None else "".join(sorted((own, other)))


def _issued(cloud: Cloud, secret: str, subject: Subject, authority: str) -> str:
    """Certificate and key of `subject` under `authority`."""
    key = cloud.secrets.get(f"{secret}.key", new_key)
    if authority == CLOUD_CA:
        internal_ca(cloud)
    ca = cloud.secrets.get(f"{authority}.certificate")

    def signed() -> str:
        return sign(subject, key, ca, cloud.secrets.get(f"{authority}.key"))

    certificate = cloud.secrets.get(f"{secret}.certificate", signed)
    if not _fits(certificate, subject, ca):
        certificate = signed()
        cloud.secrets.set(f"{secret}.certificate", certificate)
    return certificate + key


def _renew(cloud: Cloud, _now: float) -> None:
    """Keys and certificates are made anew when they are next asked for: all but those of authorities."""
    for name in _stored(cloud):
        if not is_authority(cloud.secrets.get(f"{name}.certificate")):
            cloud.secrets.remove(f"{name}.certificate")
            cloud.secrets.remove(f"{name}.key")


def _stored(cloud: Cloud) -> list[str]:
    """Secrets that are a key and a certificate, without the suffixes."""
    names = (n.removesuffix(".certificate") for n in cloud.secrets.names() if n.startswith("tls."))
    return [n for n in names if {f"{n}.certificate", f"{n}.key"} <= set(cloud.secrets.names())]


@dataclass(frozen=True)
class _Authorities:
    """The cloud's CA and those of groups: both are trusted while certificates of the new one replace the old one's."""

    does: str = "the cloud's CA, the authorities of groups, and all certificates under them"
    cost: str = "clients outside need the new ca.pem before phase use, where they verify the public VIP with it"

    def change(self, cloud: Cloud, phase: Phase, now: float) -> None:
        secrets = cloud.secrets
        if phase == "accept":
            for name in _stored(cloud):
                if is_authority(secrets.get(f"{name}.certificate")):
                    self._offer(cloud, name)
            return
        for name in [n.removesuffix(f".key{OTHER}") for n in secrets.names() if n.endswith(f".key{OTHER}")]:
            for part in ("key", "certificate"):
                secrets.swap(f"{name}.{part}") if phase == "use" else secrets.drop(f"{name}.{part}")
        if phase == "use":
            _renew(cloud, now)

    def _offer(self, cloud: Cloud, name: str) -> None:
        """Of another name: OpenSSL and Erlang look for issuers by theirs."""
        key, generation = new_key(), cloud.secrets.generation(f"{name}.certificate") + 1
        before = re.sub(r", \d+$", "", common_name(cloud.secrets.get(f"{name}.certificate")))
        cloud.secrets.offer(f"{name}.key", key)
        # X.520's limit of 64 bytes must not cut the number off.
        cloud.secrets.offer(f"{name}.certificate", sign_ca(f"{before[:56]}, {generation}", key))


#: `base` has them: its hosts all do.
ROTATIONS: Mapping[str, Rotation] = {
    "certificates": AtOnce("keys and certificates of all servers and members, under the same authorities", _renew),
    "ca": _Authorities(),
}


#: A cloud is rendered several times a run.
_fits = lru_cache(maxsize=4096)(fits)


def _own(cloud: Cloud) -> Own | None:
    found, wrong = own(cloud)
    fatal = [w for w in wrong if w.fatal]
    if fatal:
        file = cloud.places.file or cloud.name
        problems = tuple(cloud.places.problem(w.path, w.what, w.change) for w in fatal)
        raise CloudFileError(f"the certificate of {file} cannot be used", problems, next=f"fournines check {file}")
    return found

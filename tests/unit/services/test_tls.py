from __future__ import annotations

import contextlib
import hashlib
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from fournines.cloud.model import Cloud
from fournines.services.tls import (
    broker_pem,
    ca_certificate,
    database_pem,
    host_pem,
    internal_ca,
    internal_pem,
    member_ca,
    member_pem,
    server_pem,
    trusted,
)
from samples import cases


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return cases.Case(Path("none"), {"cloud": None}).cloud(tmp_path)


def test_a_server_certificate_for_the_public_vip_under_the_clouds_ca(cloud: Cloud) -> None:
    pem = server_pem(cloud, cloud.regions["phx"])
    certificate = x509.load_pem_x509_certificate(pem.encode())
    authority = x509.load_pem_x509_certificate(ca_certificate(cloud).encode())
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [IPv4Address("198.18.1.100")]
    assert timedelta(days=824) < certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=826)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert "PRIVATE KEY" in pem
    assert "PRIVATE" not in ca_certificate(cloud)


def test_both_are_made_once(cloud: Cloud) -> None:
    region = cloud.regions["phx"]
    assert server_pem(cloud, region) == server_pem(cloud, region)
    moved = replace(region, vips=replace(region.vips, public=IPv4Address("198.18.1.101")))
    assert server_pem(cloud, moved) != server_pem(cloud, region)


def test_openssl_loads_the_pair(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "public.pem"
    path.write_text(server_pem(cloud, cloud.regions["phx"]))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    ssl.create_default_context(cadata=ca_certificate(cloud))


def pair(directory: Path, pem: str) -> Path:
    path = directory / f"{hashlib.sha256(pem.encode()).hexdigest()[:8]}.pem"
    path.write_text(pem)
    return path


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Both sides in memory. Raises ssl.SSLError of the side that refuses the other."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    with contextlib.suppress(ssl.SSLWantReadError):
        ends[0].read()  # TLS 1.3 tells the client last that it was refused


def member(directory: Path, cloud: Cloud, pem: str, group: str, side: int) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.load_verify_locations(cadata=member_ca(cloud, "phx", group))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pair(directory, pem))
    return context


def test_members_of_a_group_know_one_another(cloud: Cloud, tmp_path: Path) -> None:
    first, second, _ = cloud.hosts
    server = member(tmp_path, cloud, member_pem(cloud, first, "mariadb"), "mariadb", ssl.PROTOCOL_TLS_SERVER)
    client = member(tmp_path, cloud, member_pem(cloud, second, "mariadb"), "mariadb", ssl.PROTOCOL_TLS_CLIENT)
    for name in (first.name, str(first.address)):
        handshake(server, client, name)
    with pytest.raises(ssl.SSLError, match="mismatch"):
        handshake(server, client, second.name)


@pytest.mark.parametrize("whose", ["another group's", "a server's of the same host"])
def test_no_other_certificate_of_the_cloud_opens_a_group(cloud: Cloud, tmp_path: Path, whose: str) -> None:
    first = cloud.hosts[0]
    pem = member_pem(cloud, first, "rabbitmq") if whose == "another group's" else host_pem(cloud, first)
    server = member(tmp_path, cloud, member_pem(cloud, first, "mariadb"), "mariadb", ssl.PROTOCOL_TLS_SERVER)
    client = member(tmp_path, cloud, pem, "mariadb", ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLError, match="certificate verify failed"):
        handshake(server, client, first.name)


def test_servers_are_known_by_the_addresses_that_clients_ask_for(cloud: Cloud, tmp_path: Path) -> None:
    region, (first, second, _) = cloud.regions["phx"], cloud.hosts
    client = ssl.create_default_context(cadata=internal_ca(cloud))
    for pem, names in (
        (host_pem(cloud, first), [first.name, str(first.address)]),
        (database_pem(cloud, first), [str(first.address), str(region.vips.internal)]),
        (broker_pem(cloud, first), [str(first.address), str(second.address)]),
        (internal_pem(cloud, region), [str(region.vips.internal)]),
    ):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pair(tmp_path, pem))
        for name in names:
            handshake(server, client, name)
        with pytest.raises(ssl.SSLError, match="mismatch"):
            handshake(server, client, str(region.vips.public))


def test_a_host_that_moved_gets_another_certificate_for_its_key(cloud: Cloud) -> None:
    first = cloud.hosts[0]
    before, moved = host_pem(cloud, first), replace(first, addresses={}, address=IPv4Address("198.18.0.99"))
    after = host_pem(cloud, moved)
    assert after != before
    assert after.partition("-----BEGIN PRIVATE KEY")[2] == before.partition("-----BEGIN PRIVATE KEY")[2]
    assert host_pem(cloud, moved) == after


def test_clients_of_either_vip_trust_both_authorities(cloud: Cloud) -> None:
    assert trusted(cloud) == internal_ca(cloud) == ca_certificate(cloud)

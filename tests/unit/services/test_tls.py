from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from fournines.cloud.model import Cloud
from fournines.services.tls import ca_certificate, server_pem
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

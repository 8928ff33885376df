"""Certificates of a cloud: a CA of its own and one server certificate per region's public VIP, or the operator's own.

Keys are made on first use and kept among the cloud's secrets; certificates too, so that rendering twice gives the same
bytes. P-256: every client has it, and its handshake costs a tenth of RSA-2048's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fournines.cloud.model import Cloud, Region
from fournines.errors import CloudFileError
from fournines.services.certificate import Own, own

CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=825)  # Apple's limit for a server certificate under a private CA
CLOCK_SKEW = timedelta(hours=1)  # of hosts behind the machine that signs


def ca_certificate(cloud: Cloud) -> str:
    """PEM of what hosts and clients verify the public VIP with: the operator's `tls.ca`, or what their certificate's
    chain ends in, else the cloud's own CA. Raises CloudFileError with the place of what is wrong with theirs."""
    theirs = _own(cloud)
    if theirs:
        return theirs.anchor
    key = _ca_key(cloud)
    return cloud.secrets.get("tls.ca.certificate", lambda: _sign_ca(cloud, key))


def system_trusts(cloud: Cloud) -> bool:
    """Whether users' machines verify the public VIP without being told of a CA."""
    theirs = _own(cloud)
    return bool(theirs and theirs.system)


def server_pem(cloud: Cloud, region: Region) -> str:
    """Certificate, chain and key for the public VIP, in the one file that HAProxy reads. A secret."""
    theirs = _own(cloud)
    if theirs:
        return theirs.server
    # Another name or VIP is another certificate.
    name = ".".join(
        ("tls", region.name, *([region.public_name] if region.public_name else []), str(region.vips.public))
    )
    key = cloud.secrets.get(f"{name}.key", _new_key)
    ca = ca_certificate(cloud)
    certificate = cloud.secrets.get(f"{name}.certificate", lambda: _sign_server(cloud, region, key, ca))
    return certificate + key


def _own(cloud: Cloud) -> Own | None:
    found, wrong = own(cloud)
    fatal = [w for w in wrong if w.fatal]
    if fatal:
        file = cloud.places.file or cloud.name
        problems = tuple(cloud.places.problem(w.path, w.what, w.change) for w in fatal)
        raise CloudFileError(f"the certificate of {file} cannot be used", problems, next=f"fournines check {file}")
    return found


def _new_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _load(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _ca_key(cloud: Cloud) -> str:
    return cloud.secrets.get("tls.ca.key", _new_key)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(subject: x509.Name, issuer: x509.Name, lifetime: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _sign_ca(cloud: Cloud, key_pem: str) -> str:
    key = _load(key_pem)
    name = _name(f"fournines CA of {cloud.name}")
    return _pem(
        _builder(name, name, CA_LIFETIME)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _sign_server(cloud: Cloud, region: Region, key_pem: str, ca_pem: str) -> str:
    key, ca_key = _load(key_pem), _load(_ca_key(cloud))
    ca = x509.load_pem_x509_certificate(ca_pem.encode())
    names = [*(x509.DNSName(name) for name in region.public_hosts), x509.IPAddress(region.vips.public)]
    return _pem(
        _builder(_name(region.public_host[:64]), ca.subject, SERVER_LIFETIME)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )

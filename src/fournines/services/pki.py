"""X.509 in memory: keys, certificate authorities, and what they sign. PEM in, PEM out; nothing here is kept.

P-256: every client has it, and its handshake costs a tenth of RSA-2048's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=825)  # Apple's limit for a server certificate under a private CA
CLOCK_SKEW = timedelta(hours=1)  # of hosts behind the machine that signs


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate is for. names: DNS names, the first is the common name as well; a certificate for addresses
    alone has the first of those as its common name. client: it may also be shown by the side that connects."""

    names: tuple[str, ...]
    addresses: tuple[IPv4Address, ...]
    client: bool = False

    @property
    def common_name(self) -> str:
        return self.names[0] if self.names else str(self.addresses[0])


def new_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def sign_ca(name: str, key_pem: str) -> str:
    """A certificate authority of its own, named `name`, that signs no other authorities."""
    key, subject = _load(key_pem), _name(name)
    return _pem(
        _builder(subject, subject, CA_LIFETIME)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def sign(subject: Subject, key_pem: str, ca_pem: str, ca_key_pem: str) -> str:
    """A certificate for `subject` with the key of `key_pem`, under the authority of `ca_pem`."""
    key, ca_key = _load(key_pem), _load(ca_key_pem)
    ca = x509.load_pem_x509_certificate(ca_pem.encode())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if subject.client else [])]
    return _pem(
        _builder(_name(subject.common_name), ca.subject, LIFETIME)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([*_general(subject)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def expired(pem: str, ca_pem: str, ca_key_pem: str) -> str:
    """`pem`, a certificate and its key, with the certificate signed anew under that authority as one that has expired
    an hour ago."""
    was, ca, ca_key = x509.load_pem_x509_certificate(pem.encode()), ca_pem.encode(), _load(ca_key_pem)
    ended = datetime.now(UTC) - timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(was.subject)
        .issuer_name(x509.load_pem_x509_certificate(ca).subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(ended - timedelta(days=1))
        .not_valid_after(ended)
        .public_key(was.public_key())
    )
    for extension in was.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return _pem(builder.sign(ca_key, hashes.SHA256())) + pem[pem.index("-----BEGIN PRIVATE") :]


def fits(certificate_pem: str, subject: Subject, ca_pem: str) -> bool:
    """Whether a certificate that was signed earlier says of whom it is what `subject` says, under that authority."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_pem.encode()))
    except (InvalidSignature, ValueError):
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(names) == [*_general(subject)]


def is_authority(certificate_pem: str) -> bool:
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def common_name(certificate_pem: str) -> str:
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def _general(subject: Subject) -> Iterable[x509.GeneralName]:
    yield from map(x509.DNSName, subject.names)
    yield from map(x509.IPAddress, subject.addresses)


def _load(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])  # X.520's limit


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

"""Certificates as operators bring them: good ones, and each way in which they are not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Made:
    """`pem`, `der`: of the certificate; `key`: its PEM."""

    certificate: x509.Certificate
    private: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def key(self, passphrase: bytes = b"", encoding: Any = serialization.Encoding.PEM) -> bytes:
        how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return self.private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, how)


def make(
    name: str,
    issuer: Made | None = None,
    *,
    ca: bool = False,
    names: tuple[str, ...] | None = None,
    begins: timedelta = -DAY,
    ends: timedelta = 90 * DAY,
    private: Any = None,
    usage: Any = ExtendedKeyUsageOID.SERVER_AUTH,
) -> Made:
    """Issued by `issuer`, or self-signed. `names`: of subjectAltName, addresses among them; None: `name` alone."""
    private = private or ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if wanted := (name,) if names is None else names:
            general = [_general(n) for n in wanted]
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return Made(builder.sign(issuer.private if issuer else private, hashes.SHA256()), private)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(IPv4Address(name))
    except ValueError:
        return x509.DNSName(name)

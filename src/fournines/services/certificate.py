"""The operator's own certificate of the public VIP: read, and held against its key, its chain, its names and its dates.

What clients would refuse is found before a host is touched. Chains are followed as OpenSSL does, by issuer and
signature; the stricter rules of public CAs (`cryptography`'s verifier has them) do not hold for a company's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path as FilePath

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from fournines.cloud.model import Cloud, Region
from fournines.cloud.source import Path

#: Days before the end at which an operator is reminded.
SOON = timedelta(days=30)
#: OpenSSL's security level 2, which Debian and clients require.
_LEAST_RSA = 2048
#: Where distributions keep what everybody trusts; a variable of OpenSSL's goes before.
_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")


@dataclass(frozen=True)
class Wrong:
    """`path`: of the cloud file. fatal: clients or HAProxy refuse it."""

    path: Path
    what: str
    why: str
    change: str
    fatal: bool = True


@dataclass(frozen=True)
class Own:
    """PEM. `server`: certificate, chain and key. `anchor`: what its chain ends in. system: the machines of users trust
    that already, as this one does."""

    server: str
    anchor: str
    system: bool


class _RefusedError(Exception):
    def __init__(self, path: Path, what: str, why: str, change: str) -> None:
        super().__init__(what)
        self.wrong = Wrong(path, what, why, change)


def own(cloud: Cloud, now: datetime | None = None) -> tuple[Own | None, tuple[Wrong, ...]]:
    """The certificate of `cloud.tls` (None: it cannot be used, or there is none), and all that is wrong with it."""
    tls = cloud.tls
    if not (tls.certificate and tls.key):
        return None, ()
    try:
        chain, texts = _chain(("tls", "certificate"), tls.certificate)
        key, key_text = _key(tls.key)
        bundle = _chain(("tls", "ca"), tls.ca)[0] if tls.ca else []
    except _RefusedError as refused:
        return None, (refused.wrong,)
    anchor, system, wrong = _anchor(chain, bundle, tls.ca is not None)
    if wrong and key in [_public(c.public_key()) for c in chain[1:]]:
        return None, tuple(wrong)  # the first certificate is not the server's: what is wrong with it is of no interest
    found = (
        *_pair(chain[0], key),
        *wrong,
        *_strength(chain),
        *_dates([*chain, *([anchor] if anchor else [])], now or datetime.now(UTC)),
        *(w for region in cloud.regions.values() for w in _names(chain[0], region)),
    )
    if anchor is None or any(w.fatal for w in found):
        return None, found
    served = "".join(texts) + key_text
    ca = bundle if tls.ca else [anchor]
    return Own(served, "".join(_pem(c) for c in ca), system), found


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _bytes(path: Path, file: FilePath) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        change = "correct the path; without `tls:`, a CA of the cloud's own issues the certificate"
        raise _RefusedError(path, f"{file} cannot be read", error.strerror or str(error), change) from error


def _blocks(path: Path, file: FilePath, data: bytes) -> list[tuple[str, str]]:
    """(kind, text) of each PEM block."""
    text = data.decode("ascii", errors="replace")
    found = [(m[1], m[0].replace("\r\n", "\n") + "\n") for m in _BLOCK.finditer(text)]
    if not found:
        form, change = _form(file, data)
        raise _RefusedError(path, f"{file} is {form}, not PEM", "HAProxy and clients read PEM", change)
    return found


def _form(file: FilePath, data: bytes) -> tuple[str, str]:
    """What the file is instead, and how to make PEM of it."""
    if not data.strip():
        return "empty", "put the certificate there, in PEM"
    try:
        x509.load_der_x509_certificate(data)
        return "a certificate in DER", f"openssl x509 -inform DER -in {file} -out {file.with_suffix('.pem')}"
    except (ValueError, UnsupportedAlgorithm):
        pass
    try:
        serialization.load_der_private_key(data, password=None)
        return "a key in DER", f"openssl pkey -inform DER -in {file} -out {file.with_suffix('.pem')}"
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    if data[:1] == b"\x30":  # ASN.1: a sequence
        return "in DER or PKCS#12", f"openssl pkcs12 -in {file} -nodes -out {file.with_suffix('.pem')}"
    return "something else", "give a file that begins with -----BEGIN"


def _chain(path: Path, file: FilePath) -> tuple[list[x509.Certificate], list[str]]:
    """The certificates in `file`, and their PEM as it is there."""
    texts = [text for kind, text in _blocks(path, file, _bytes(path, file)) if kind in _CERTIFICATES]
    if not texts:
        raise _RefusedError(path, f"{file} holds no certificate", "it is PEM of something else", "give a certificate")
    try:
        return [x509.load_pem_x509_certificate(text.encode()) for text in texts], texts
    except (ValueError, UnsupportedAlgorithm) as error:
        change = f"openssl x509 -in {file} -noout -text"
        raise _RefusedError(path, f"a certificate in {file} is damaged", _brief(error), change) from error


def _key(file: FilePath) -> tuple[bytes, str]:
    """The key's public part, and its PEM as it is there."""
    path: Path = ("tls", "key")
    blocks = [(kind, t) for kind, t in _blocks(path, file, _bytes(path, file)) if kind.endswith("PRIVATE KEY")]
    if not blocks:
        raise _RefusedError(path, f"{file} holds no private key", "it is PEM of something else", "give the key")
    kind, text = blocks[0]
    if "ENCRYPTED" in kind or "Proc-Type: 4,ENCRYPTED" in text:
        change = f"openssl pkey -in {file} -out KEY; keep KEY at mode 0600"
        why = "HAProxy would ask for its passphrase at every start, and nobody would be there"
        raise _RefusedError(path, f"the key in {file} is encrypted", why, change)
    try:
        loaded = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        change = f"openssl pkey -in {file} -noout -text"
        raise _RefusedError(path, f"the key in {file} is damaged", _brief(error), change) from error
    return _public(loaded.public_key()), text


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _pair(leaf: x509.Certificate, key: bytes) -> Iterator[Wrong]:
    if _public(leaf.public_key()) != key:
        yield Wrong(
            ("tls", "key"),
            f"the key does not belong to the certificate for {_subject(leaf)}",
            "HAProxy refuses the pair; the first certificate of the file must be that of the key",
            "the key that the certificate was asked for with",
        )


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "nobody"


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        if certificate != issuer and not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        pass  # a root of the first days
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _anchor(
    chain: Sequence[x509.Certificate], bundle: Sequence[x509.Certificate], stated: bool
) -> tuple[x509.Certificate | None, bool, list[Wrong]]:
    """What `chain` ends in, whether the system trusts that, and where the chain is broken."""
    path: Path = ("tls", "certificate")
    for one, other in pairwise(chain):
        if not _issued(one, other):
            what = f"in the chain, {_subject(one)} is not issued by the certificate after it, {_subject(other)}"
            change = "the server's certificate first, then the one that issued it, and so on"
            return None, False, [Wrong(path, what, "clients cannot follow it", change)]
    last = chain[-1]
    if stated:
        for anchor in bundle:
            if anchor == last or _issued(last, anchor):
                return anchor, False, []
        what = f"nothing in tls.ca issued {_subject(last)}, with which the chain ends"
        change = f"in tls.certificate, the CAs in between as well; in tls.ca, the certificate of {_issuer(last)}"
        return None, False, [Wrong(("tls", "ca"), what, "clients that trust tls.ca alone refuse the chain", change)]
    for anchor in _system(last.issuer.public_bytes()):
        if anchor == last or _issued(last, anchor):
            return anchor, True, []
    if _issued(last, last):
        return last, False, []  # self-signed, or a chain that ends with its own root
    what = f"the certificate is issued by {_issuer(last)}, which this machine does not trust, and tls.ca is missing"
    why = "clients would have nothing to verify it with"
    return None, False, [Wrong(path, what, why, f"tls: {{ca: FILE}}, with the certificate of {_issuer(last)}")]


def _issuer(certificate: x509.Certificate) -> str:
    return certificate.issuer.rfc4514_string() or "an issuer without a name"


@lru_cache(maxsize=8)
def _system(subject: bytes) -> tuple[x509.Certificate, ...]:
    """Those of the system's trusted certificates that have this name."""
    for name in filter(None, (os.environ.get("SSL_CERT_FILE"), *_SYSTEM)):
        try:
            data = FilePath(name).read_bytes()
        except OSError:
            continue
        texts = (m[0] for m in _BLOCK.finditer(data.decode("ascii", errors="replace")) if m[1] in _CERTIFICATES)
        found: list[x509.Certificate] = []
        for text in texts:
            try:
                certificate = x509.load_pem_x509_certificate(text.encode())
                if certificate.subject.public_bytes() == subject:
                    found.append(certificate)
            except (ValueError, UnsupportedAlgorithm):
                continue  # one that this library cannot read is not the one
        return tuple(found)
    return ()


def _strength(chain: Sequence[x509.Certificate]) -> Iterator[Wrong]:
    path: Path = ("tls", "certificate")
    for certificate in chain:
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA:
            what = f"{_subject(certificate)} has an RSA key of {key.key_size} bits"
            yield Wrong(path, what, "OpenSSL refuses less than 2048", "a certificate with a longer key, or P-256")
        if certificate.signature_hash_algorithm and isinstance(
            certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5
        ):
            name = certificate.signature_hash_algorithm.name.upper()
            what = f"{_subject(certificate)} is signed with {name}"
            yield Wrong(path, what, "OpenSSL and browsers refuse it", "a certificate that is signed with SHA-256")
    try:
        usage = chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
        what = f"{_subject(chain[0])} is not for servers (extendedKeyUsage lacks serverAuth)"
        yield Wrong(path, what, "clients refuse it", "a certificate for TLS servers")


def _dates(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[Wrong]:
    path: Path = ("tls", "certificate")
    for certificate in dict.fromkeys(chain):
        name, begins, ends = _subject(certificate), certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if ends <= now:
            yield Wrong(path, f"{name} ended on {ends:%Y-%m-%d}", "clients refuse it", "a new certificate")
        elif begins > now:
            what = f"{name} is not valid before {begins:%Y-%m-%d %H:%M} UTC"
            yield Wrong(path, what, "clients refuse it until then", "look at this machine's clock, or wait")
        elif ends - now < SOON:
            days = (ends - now).days
            what = f"{name} ends on {ends:%Y-%m-%d}, in {days} days"
            yield Wrong(path, what, "clients refuse it from then on", "a new certificate", fatal=False)


def _names(leaf: x509.Certificate, region: Region) -> Iterator[Wrong]:
    wanted = region.public_host
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        what = f"{_subject(leaf)} has no subjectAltName"
        why = "clients have not looked at the common name for years"
        yield Wrong(("tls", "certificate"), what, why, f"a certificate with subjectAltName DNS or IP of {wanted}")
        return
    dns = names.get_values_for_type(x509.DNSName)
    if region.public_name:
        good = any(_matches(pattern, wanted) for pattern in dns)
    else:
        good = region.vips.public in names.get_values_for_type(x509.IPAddress)
    if good:
        return
    addresses = [str(a) for a in names.get_values_for_type(x509.IPAddress)]
    exact = [d for d in dns if "*" not in d]
    name = exact[0] if exact else "NAME"
    yield Wrong(
        ("regions", region.name, "public_name") if region.public_name else ("tls", "certificate"),
        f"the certificate is for {', '.join([*dns, *addresses]) or 'nobody'}; clients of region {region.name} are sent "
        f"to {wanted}",
        "what they verify is the name in the URL, and they refuse another",
        f"regions: {{{region.name}: {{public_name: {name}}}}}, or a certificate for {wanted}",
    )


def _matches(pattern: str, name: str) -> bool:
    """RFC 6125: a `*` stands for the whole first label."""
    pattern = pattern.lower()
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:] and "." in pattern[2:]
    return pattern == name

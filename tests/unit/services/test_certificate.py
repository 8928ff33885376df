"""The operator's own certificate: what is good is used everywhere, what is not is said with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from fournines.cli.main import cli
from fournines.cloud.model import Cloud
from fournines.errors import CloudFileError
from fournines.services import certificate, load, registry
from fournines.services.keystone import clouds_yaml
from fournines.services.resource import File
from fournines.services.tls import ca_certificate, server_pem
from samples.cases import ROOT
from samples.certificates import DAY, Made, make

NAME = "cloud.example.com"
AUTHORITY = make("Example Root", ca=True)
BETWEEN = make("Example Issuing", AUTHORITY, ca=True)
LEAF = make(NAME, BETWEEN)
OTHER = make(NAME, make("Somebody Else", ca=True))
RSA_1024 = rsa.generate_private_key(65537, 1024)


def written(
    directory: Path, pem: bytes | str, key: bytes, ca: bytes | str | None, *, name: str = NAME, more: str = ""
) -> Path:
    """A cloud file with these files beside it."""
    for file, content in (("public.pem", pem), ("public.key", key), ("ca.pem", ca)):
        if content is not None:
            (directory / file).write_bytes(content.encode() if isinstance(content, str) else content)
    text = (ROOT / "examples/three-controllers.yaml").read_text()
    text = text.replace("  phx:\n", f"  phx:\n    public_name: {name}\n" if name else "  phx:\n", 1)
    text += "\ntls:\n  certificate: public.pem\n  key: public.key\n" + ("  ca: ca.pem\n" if ca else "") + more
    path = directory / "cloud.yaml"
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Made], None]:
    """Makes this machine trust a CA; none, before."""
    store = tmp_path / "trusted.pem"
    store.write_text("")
    monkeypatch.setattr(certificate, "_SYSTEM", (str(store),))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    certificate._system.cache_clear()

    def trust(made: Made) -> None:
        store.write_text(make("Another Root", ca=True).pem + made.pem)
        certificate._system.cache_clear()

    return trust


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return written(tmp_path, LEAF.pem + BETWEEN.pem, LEAF.key(), AUTHORITY.pem)


def files(cloud: Cloud, service: str) -> dict[str, str]:
    host = cloud.hosts_of(service, "phx")[0]
    return {r.path: r.content for r in registry()[service].desired(cloud, host) if isinstance(r, File)}


def test_a_good_one_is_served_with_its_chain_and_verified_with_its_ca(good: Path) -> None:
    assert json.loads(CliRunner().invoke(cli, ["check", "--json", str(good)]).output)["findings"] == []
    cloud = load(good)
    assert server_pem(cloud, cloud.regions["phx"]) == LEAF.pem + BETWEEN.pem + LEAF.key().decode()
    assert ca_certificate(cloud) == AUTHORITY.pem
    assert json.loads(clouds_yaml(cloud, "/ca.pem"))["clouds"][cloud.name]["cacert"] == "/ca.pem"


def test_the_public_name_is_what_everybody_uses(good: Path) -> None:
    cloud = load(good)
    entry = json.loads(clouds_yaml(cloud, "/ca.pem"))["clouds"][cloud.name]
    assert entry["auth"]["auth_url"] == f"https://{NAME}:5000/v3"
    keystone = registry()["keystone"]
    first = cloud.hosts_of("keystone", "phx")[0]
    assert any(f"https://{NAME}:5000/v3/auth/tokens" in c.script for c in keystone.checks(cloud, first))
    hosts = next(r for r in registry()["base"].desired(cloud, first) if getattr(r, "name", "") == "names in /etc/hosts")
    assert f"198.18.1.100 {NAME}\n" in hosts.stdin  # type: ignore[attr-defined]


def test_horizon_and_the_catalogue_know_the_public_name(tmp_path: Path) -> None:
    path = written(tmp_path, LEAF.pem + BETWEEN.pem, LEAF.key(), AUTHORITY.pem, more="components: full\n")
    path.write_text(path.read_text().replace("components: core\n", ""))
    cloud = load(path)
    settings = files(cloud, "horizon")["/etc/openstack-dashboard/local_settings.d/_99_fournines.py"]
    assert f"ALLOWED_HOSTS = ['{NAME}', '198.18.1.100', '198.18.0.100'," in settings
    document = json.loads(files(cloud, "keystone")["/etc/fournines/registration.json"])
    urls = [s["endpoints"]["public"] for s in document["services"]]
    assert urls
    assert all(url.startswith(f"https://{NAME}:") for url in urls)
    assert f"novncproxy_base_url = https://{NAME}:" in files(cloud, "nova")["/etc/nova/nova.conf"]
    for service in ("keystone", "glance", "nova", "horizon", "neutron"):
        first = cloud.hosts_of(service, "phx")[0]
        scripts = "".join(c.script for c in registry()[service].checks(cloud, first))
        assert f"https://{NAME}:" in scripts, service
        assert "https://198.18.1.100" not in scripts, service


def test_without_an_own_certificate_the_cloud_issues_one_for_the_name(tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    text = (ROOT / "examples/three-controllers.yaml").read_text()
    path.write_text(text.replace("  phx:\n", f"  phx:\n    public_name: {NAME}\n", 1))
    cloud = load(path)
    pem = server_pem(cloud, cloud.regions["phx"])
    own = tmp_path / "own"
    own.mkdir()
    again = written(own, pem, pem.encode(), ca_certificate(cloud))
    assert json.loads(CliRunner().invoke(cli, ["check", "--json", str(again)]).output)["findings"] == []


def test_a_ca_that_the_system_trusts_need_not_be_named(tmp_path: Path, trusted: Callable[[Made], None]) -> None:
    path = written(tmp_path, LEAF.pem + BETWEEN.pem, LEAF.key(), None)
    with pytest.raises(CloudFileError, match="does not trust"):
        ca_certificate(load(path))
    trusted(AUTHORITY)
    cloud = load(path)
    assert ca_certificate(cloud) == AUTHORITY.pem  # hosts verify with it alone
    assert "cacert" not in json.loads(clouds_yaml(cloud, "/ca.pem"))["clouds"][cloud.name]


def test_a_self_signed_one_is_its_own_ca(tmp_path: Path) -> None:
    own = make(NAME)
    cloud = load(written(tmp_path, own.pem, own.key(), None))
    assert ca_certificate(cloud) == own.pem


@pytest.mark.parametrize("pattern", ["*.example.com", "CLOUD.example.com"])
def test_names_are_compared_as_clients_do(tmp_path: Path, pattern: str) -> None:
    leaf = make(NAME, AUTHORITY, names=(pattern,))
    path = written(tmp_path, leaf.pem, leaf.key(), AUTHORITY.pem)
    assert json.loads(CliRunner().invoke(cli, ["check", "--json", str(path)]).output)["findings"] == []


def by_address(directory: Path) -> Path:
    leaf = make("x", AUTHORITY, names=("198.18.1.100",))
    return written(directory, leaf.pem, leaf.key(), AUTHORITY.pem, name="")


def test_a_certificate_for_the_address_needs_no_name(tmp_path: Path) -> None:
    assert json.loads(CliRunner().invoke(cli, ["check", "--json", str(by_address(tmp_path))]).output)["findings"] == []


PEM, KEY, CA = LEAF.pem + BETWEEN.pem, LEAF.key(), AUTHORITY.pem
CASES: dict[str, tuple[bytes | str | None, bytes | None, bytes | str | None, str, str]] = {
    # certificate, key, ca, where, what
    "missing": (None, KEY, CA, "tls.certificate", "public.pem cannot be read"),
    "missing key": (PEM, None, CA, "tls.key", "public.key cannot be read"),
    "der": (LEAF.der, KEY, CA, "tls.certificate", "is a certificate in DER, not PEM"),
    "der key": (PEM, LEAF.key(encoding=serialization.Encoding.DER), CA, "tls.key", "is a key in DER, not PEM"),
    "pkcs12": (b"\x30\x82\x01\x00\x02\x01\x03 and so on", KEY, CA, "tls.certificate", "in DER or PKCS#12, not PEM"),
    "empty": (b"", KEY, CA, "tls.certificate", "is empty, not PEM"),
    "a word": ("certificate", KEY, CA, "tls.certificate", "is something else, not PEM"),
    "key for certificate": (KEY, KEY, CA, "tls.certificate", "holds no certificate"),
    "certificate for key": (PEM, PEM.encode(), CA, "tls.key", "holds no private key"),
    "encrypted": (PEM, LEAF.key(b"secret"), CA, "tls.key", "is encrypted"),
    "damaged": (PEM.replace("M", "N", 3), KEY, CA, "tls.certificate", "is damaged"),
    "foreign key": (PEM, OTHER.key(), CA, "tls.key", "the key does not belong to the certificate for CN="),
    "chain upside down": (BETWEEN.pem + LEAF.pem, KEY, CA, "tls.certificate", "is not issued by the certificate after"),
    "chain with a gap": (LEAF.pem, KEY, CA, "tls.ca", "nothing in tls.ca issued CN=cloud.example.com"),
    "issued by no ca": (LEAF.pem + OTHER.pem, KEY, CA, "tls.certificate", "is not issued by the certificate after"),
    "another ca": (PEM, KEY, OTHER.pem, "tls.ca", "nothing in tls.ca issued CN=Example Issuing"),
    "der ca": (PEM, KEY, AUTHORITY.der, "tls.ca", "is a certificate in DER, not PEM"),
    "no ca": (PEM, KEY, None, "tls.certificate", "which this machine does not trust, and tls.ca is missing"),
}  # fmt: skip


def with_leaf(**kw: object) -> tuple[str, bytes]:
    leaf = make(NAME, AUTHORITY, **kw)  # type: ignore[arg-type]
    return leaf.pem, leaf.key()


LEAVES = {
    "ended": (with_leaf(begins=-3 * DAY, ends=-DAY), "tls.certificate", "CN=cloud.example.com ended on"),
    "not yet": (with_leaf(begins=DAY), "tls.certificate", "is not valid before"),
    "another name": (with_leaf(names=("www.example.com",)), "public_name", "the certificate is for www.example.com"),
    "address only": (with_leaf(names=("198.18.1.100",)), "public_name", "the certificate is for 198.18.1.100"),
    "deeper": (with_leaf(names=("*.com", "*.cloud.example.com")), "public_name", "are sent to cloud.example.com"),
    "no names": (with_leaf(names=()), "tls.certificate", "has no subjectAltName"),
    "weak": (with_leaf(private=RSA_1024), "tls.certificate", "has an RSA key of 1024 bits"),
    "for clients": (with_leaf(usage=ExtendedKeyUsageOID.CLIENT_AUTH), "tls.certificate", "is not for servers"),
}
CASES |= {name: (pem, key, CA, where, what) for name, ((pem, key), where, what) in LEAVES.items()}


@pytest.mark.parametrize("case", CASES)
def test_what_clients_would_refuse_is_an_error_with_its_place(tmp_path: Path, case: str) -> None:
    pem, key, ca, where, what = CASES[case]
    path = written(tmp_path, pem or "", key or b"", ca)
    for file, content in (("public.pem", pem), ("public.key", key)):
        if content is None:
            (tmp_path / file).unlink()
    result = CliRunner().invoke(cli, ["check", "--json", str(path)])
    (finding,) = [f for f in json.loads(result.output)["findings"] if f["severity"] == "error"]
    assert (finding["rule"], finding["severity"]) == ("certificate", "error")
    assert finding["path"].endswith(where)
    assert what in finding["what"]
    assert finding["change"]
    line = path.read_text().splitlines()[finding["line"] - 1]
    assert where.rpartition(".")[2] in line
    for command in (["design", "capacity"], ["export", "clouds.yaml"], ["plan"]):
        refused = CliRunner().invoke(cli, [*command, str(path)])
        assert refused.exit_code == 1, command
        assert isinstance(refused.exception, Exception)
        assert type(refused.exception).__module__.startswith("fournines"), (command, refused.exception)


def test_one_that_ends_soon_is_a_warning(tmp_path: Path) -> None:
    leaf = make(NAME, AUTHORITY, ends=timedelta(days=12, hours=1))
    path = written(tmp_path, leaf.pem, leaf.key(), AUTHORITY.pem)
    (finding,) = json.loads(CliRunner().invoke(cli, ["check", "--json", str(path)]).output)["findings"]
    assert (finding["severity"], finding["rule"]) == ("warning", "certificate")
    assert "in 12 days" in finding["what"]
    assert ca_certificate(load(path)) == AUTHORITY.pem


@pytest.mark.parametrize(
    "name", ["198.18.1.100", "*.example.com", "cloud.example.com.", "Cloud", "a..b", "-a", "x" * 64]
)
def test_what_is_no_public_name(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, PEM, KEY, CA, name=f'"{name}"')
    result = CliRunner().invoke(cli, ["check", "--json", str(path)])
    assert [f["path"] for f in json.loads(result.output)["findings"] if f["rule"] == "file"] == [
        "regions.phx.public_name"
    ]

"""Secrets with every printable character, in every file of a whole cloud: read back as they are, or refused by name."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from configparser import ConfigParser, RawConfigParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from fournines.cloud.model import Cloud
from fournines.cloud.secrets import Secret, Secrets
from fournines.errors import FourninesError
from fournines.services import database_access, load, openstack, quoting, registry, valkey
from fournines.services.resource import File, Run
from samples import cases

ODD = "'a@b:c/d%e?f#g$h i\"j\\k&l=m;n%(o)s$$p{q}`r'"
#: Their readers decode nothing.
PLAIN = re.compile(r"keystone\.database|\w+\.valkey|rabbitmq\.admin")
OSLO = "keystone|nova|neutron|cinder|heat|glance|aodh|ceilometer|placement|gnocchi"
#: Paste's own reading of a file has no way to write `%(`.
NO_REFERENCE = "swift.keystone"


class OddSecrets(Secrets):
    def __init__(self, odd: Callable[[str], bool]) -> None:
        super().__init__()
        self.odd = odd

    def get(self, name: str, generate: Callable[[], str] | None = None) -> Secret:
        def password() -> str:
            return ODD.replace("%(", "%") if name == NO_REFERENCE else ODD if self.odd(name) else "plain"

        return super().get(name, generate or password)


def whole(odd: Callable[[str], bool]) -> Cloud:
    cloud = load(cases.ROOT / "examples/full-cloud.yaml")
    cloud.__dict__["secrets"] = OddSecrets(odd)
    return cloud


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Of the first controller and of a compute; path -> content."""
    cloud = whole(lambda name: not PLAIN.fullmatch(name))
    found: dict[str, str] = {}
    for host in (cloud.hosts[0], cloud.hosts[-1]):
        for name, service in registry().items():
            if name in host.services:
                found |= {r.path: r.content for r in service.desired(cloud, host) if isinstance(r, File)}
    return found


def oslo(text: str) -> list[tuple[str, str]]:
    """Option and value, as oslo_config.iniparser and its substitution have them."""
    pairs: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line and line[0] not in "#;[":
            name, _, value = line.partition("=")
            value = value.strip()
            if value and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            assert "$" not in value.replace("$$", ""), line
            pairs.append((name.strip(), value.replace("$$", "$")))
    return pairs


def test_oslo_s_files_say_the_secret(files: dict[str, str]) -> None:
    seen: list[str] = []
    for path, content in files.items():
        if re.fullmatch(rf"/etc/({OSLO})/.*\.(conf|ini)", path) and not path.endswith("glance-swift.conf"):
            for name, value in oslo(content):
                if name in ("password", "memcache_secret_key", "metadata_proxy_shared_secret", "swift_key"):
                    assert value == ODD, (path, name)
                    seen.append(name)
                elif name == "connection" and path != "/etc/keystone/keystone.conf":
                    assert unquote(urlsplit(value).password or "") == ODD
                    seen.append(name)
                elif value.startswith("rabbit://"):
                    for node in urlsplit(value).netloc.split(","):
                        assert unquote(node.rpartition("@")[0].partition(":")[2]) == ODD
                    seen.append(name)
                elif value.startswith("redis://"):
                    assert urlsplit(value).password == "plain"
                    assert parse_qs(urlsplit(value).query)["sentinel_password"] == [ODD]
    assert len(seen) > 50
    assert {"password", "connection", "transport_url", "swift_key", "memcache_secret_key"} <= set(seen)


def test_other_files_say_the_secret(files: dict[str, str]) -> None:
    swift = ConfigParser()
    swift.read_string(files["/etc/swift/swift.conf"])
    assert swift["swift-hash"]["swift_hash_path_suffix"] == ODD
    proxy = RawConfigParser(strict=False)
    proxy.read_string(files["/etc/swift/proxy-server.conf"])
    assert proxy["filter:authtoken"]["password"] == ODD.replace("%(", "%")
    glance = ConfigParser()
    glance.read_string(files["/etc/glance/glance-swift.conf"])
    assert glance["internal"]["key"] == f'"{ODD}"', "glance_store takes the quotes off"
    [line] = [x for x in files["/etc/valkey/fournines-server.conf"].splitlines() if x.startswith("requirepass")]
    assert json.loads(line.partition(" ")[2]) == ODD
    [line] = [x for x in files["/usr/lib/fournines/valkey-prepare"].splitlines() if x.startswith("export REDISCLI")]
    assert shlex.split(line)[1] == f"REDISCLI_AUTH={ODD}"
    settings: dict[str, object] = {}
    exec(files["/etc/openstack-dashboard/local_settings.d/_99_fournines.py"], settings)
    assert settings["SECRET_KEY"] == ODD
    identity = json.loads(files["/etc/fournines/keystone-auth.json"])["auth"]["identity"]
    assert identity["password"]["user"]["password"] == ODD


def test_scripts_stay_scripts(files: dict[str, str]) -> None:
    for path in ("/usr/lib/fournines/valkey-prepare", "/usr/lib/fournines/valkey-health"):
        assert subprocess.run(["sh", "-n"], input=files[path], text=True, check=False).returncode == 0, path
    cloud = whole(lambda name: not PLAIN.fullmatch(name))
    for resource in registry()["keystone"].desired(cloud, cloud.hosts[0]):
        for step in resource.steps():
            assert not isinstance(step, Run) or ODD not in step.script
            if isinstance(step, Run) and step.stdin:
                said = subprocess.run(["sh", "-c", 'IFS= read -r x; printf %s "$x"'], input=step.stdin, text=True,
                                      capture_output=True, check=True).stdout  # fmt: skip
                assert said == ODD


@pytest.mark.parametrize(
    ("name", "render"),
    [
        ("keystone.database", lambda cloud: list(registry()["keystone"].desired(cloud, cloud.hosts[0]))),
        ("cinder.valkey", lambda cloud: valkey.url(cloud, cloud.regions["phx"], "cinder")),
        ("rabbitmq.admin", lambda cloud: list(registry()["rabbitmq"].desired(cloud, cloud.hosts[0]))),
    ],
)
def test_what_cannot_be_encoded_is_refused_by_its_name(name: str, render: Callable[[Cloud], object]) -> None:
    with pytest.raises(FourninesError) as refused:
        render(whole(lambda _: True))
    assert name in str(refused.value)
    assert refused.value.next
    assert "a@b" not in str(refused.value)
    render(whole(lambda _: False))


def test_urls(tmp_path: Path) -> None:
    cloud = whole(lambda _: True)
    region = cloud.regions["phx"]
    assert unquote(urlsplit(database_access.database_url(cloud, region, "nova")).password or "") == ODD
    first = openstack.transport_url(cloud, region, "nova").split(",")[0]
    assert unquote(urlsplit(first).password or "") == ODD


def test_paste_has_no_way_to_write_a_reference() -> None:
    with pytest.raises(FourninesError, match=r"swift\.keystone cannot have a `%\(`"):
        quoting.paste(Secret("a%(b", "swift.keystone"))

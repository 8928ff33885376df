"""Every rendered file is read by the program that it is for, inside the image that the lab's hosts start from."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from fournines import lab
from fournines.services import load, openstack, registry
from fournines.services.capabilities import UWSGI, ReadsOsloConfig
from fournines.services.resource import File
from samples import cases

pytestmark = pytest.mark.lab

#: Of the way in which accounts sign in; the validator does not know them, `known` does.
_AUTH = "auth_url|username|password|user_domain_name|project_name|project_domain_name|cafile"
#: Sections that the operator or fournines names, or where accounts sign in: `known` has them, the validator has not.
_NAMED = {
    "aodh": ("service_credentials",),
    "ceilometer": ("service_credentials",),
    "cinder": ("nova", "service_user"),
    "cinder_volume": ("fake", "fast", "slow", "ceph", "nfs", "lvm"),
    "glance": ("swift", "ceph", "nfs", "os_glance_staging_store", "os_glance_tasks_store"),
}
_CUTTLEFISH = """\
mkdir /tmp/schema /tmp/out
cd /usr/lib/rabbitmq/lib/*/plugins
cp {rabbit-,rabbitmq_management,rabbitmq_prometheus}*/priv/schema/*.schema /tmp/schema
export ERL_LIBS=$PWD
erl -noshell -eval 'cuttlefish_escript:main(["-f", "r", "-s", "/tmp/schema", "-e", "/tmp/out", "-c", "PATH"]), halt(0).'
find /tmp/out -name '*.config' | grep .
"""
#: What is rendered is a configuration without nodes, which the cluster adds itself.
_CIB = """\
exec > /tmp/cib.xml
echo '<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="0" num_updates="0">'
sed 's:<resources>:<nodes/><resources>:' PATH
echo '<status/></cib>'
exec >&2
crm_verify --xml-file /tmp/cib.xml
"""
#: Ending of a path -> what reads it; PATH stands for the file.
PROGRAMS = {
    "/haproxy.cfg": "haproxy -c -f PATH",
    "/proxy-tls.cfg": "haproxy -c -f PATH",
    "/keepalived.conf": "mkdir -p /run/fournines && echo 0 > /run/fournines/vip && keepalived -t -f PATH",
    "/99-fournines.cnf": "mariadbd --user=mysql --wsrep-on=OFF --verbose --help",
    "/rabbitmq.conf": _CUTTLEFISH,
    "/memcached.conf": "timeout 1 /usr/share/memcached/scripts/systemd-memcached-wrapper PATH; test $? = 124",
    "/fournines-server.conf": "timeout 1 valkey-server PATH; test $? = 124",
    "/fournines-sentinel.conf": "(echo sentinel monitor acme-phx 198.18.0.11 6379 2; cat PATH) > /tmp/sentinel.conf;"
    " timeout 1 valkey-sentinel /tmp/sentinel.conf; test $? = 124",
    "/60-fournines.conf": "sysctl -p PATH",
    "/61-fournines-haproxy.conf": "sysctl -p PATH",
    # The image is of a cloud without a witness: what is verified is the unit.
    "/fournines-arbitrator.service": "install -m 755 /dev/null /usr/bin/garbd;"
    " systemd-analyze verify --man=no --recursive-errors=no PATH",
    "/firewall.nft": "nft -c -f PATH",
    "/corosync.conf": "corosync -t -c PATH",
    # It reads its options in their order, and the last one asks for its version (status 1, as after a wrong option).
    "/default/corosync-qnetd": ". PATH; corosync-qnetd $COROSYNC_QNETD_OPTIONS -v | grep -q '^Supported algorithms'",
    "/etc/fournines/cib.xml": _CIB,
    # Without the certificates and the token, which are no business of the syntax.
    "/prometheus.yml": "promtool check config --syntax-only PATH",
    "/fournines.rules.yml": "promtool check rules PATH",
    "/alertmanager.yml": "amtool check-config PATH",
    "/monitoring/web.yml": "promtool check web-config PATH",
    "/monitoring/mysqld.cnf": "my_print_defaults --defaults-file=PATH client",
    "/clustered-unit.sh": "sh -n PATH",
    "/clustered-on-disk.sh": "sh -n PATH",
    "/resource.d/fournines/lun": "sh -n PATH",
    "/resource.d/fournines/mariadb": "sh -n PATH",
    "/resource.d/fournines/rabbitmq": "sh -n PATH",
    "/resource.d/fournines/service": "sh -n PATH",
    ".service": "systemd-analyze verify --man=no --recursive-errors=no PATH",
    **{
        f"/{one}.json": f"cd /usr/lib/fournines && python3 -c 'from agent.{one}.config import load; print(load())'"
        for one in ("guard", "observer")
    },
}
#: What reads a program of ours: the host's own Python.
_PYTHON = "python3 -m py_compile PATH"
#: A host of its own: its network, and a layer over the image that goes away with the namespace.
_INSIDE = """\
set -e
mount -t tmpfs none "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" none "$2/root"
cp -a "$3/." "$2/root/"
mount -t proc none "$2/root/proc"
mount --rbind /dev "$2/root/dev"
mount -t tmpfs none "$2/root/run"
mount -t tmpfs none "$2/root/tmp"
ip link set lo up
for name in management public eno1 eno2; do ip link add $name type bridge && ip link set $name up; done
for last in 11 12 13 100 142; do ip addr add 198.18.0.$last/24 dev management; done
ip addr add 198.18.1.100/24 dev public
chroot "$2/root" bash -c "$4"
"""


def _program(case: cases.Case, file: File) -> str | None:
    path = file.path
    name = path.rpartition("/")[2]
    service = registry()[case.service]
    own = service.namespaces.get(name) if isinstance(service, ReadsOsloConfig) else None
    if own and own != UWSGI:
        namespaces = " ".join(f"--namespace {n}" for n in (*own, *openstack.NAMESPACES))
        named = " ".join(f"--exclude-group {group}" for group in _NAMED.get(case.service, ()))
        return f"oslo-config-validator --exclude-options '{_AUTH}' {named} --input-file {path} {namespaces}"
    ours = _PYTHON if file.content.startswith("#!/usr/bin/python3\n") else ""
    found = ours or next((program for ending, program in PROGRAMS.items() if path.endswith(ending)), None)
    return found and found.replace("PATH", path)


#: Of services that the whole cloud's image does not have.
_EXAMPLES = {
    "corosync": "pacemaker-vip",
    "pacemaker": "pacemaker-vip",
    "qnetd": "active-passive-two-nodes",
    "prometheus": "monitored-cloud",
    "alertmanager": "monitored-cloud",
    "node_exporter": "monitored-cloud",
    "mysqld_exporter": "monitored-cloud",
}


@cache
def _image(example: str) -> Path:
    """Of that example, which the lab of that cloud starts from: of the whole cloud, it has almost every package."""
    return lab.images(load(cases.ROOT / f"examples/{example}.yaml"), print)["nspawn"]


def _files(case: cases.Case, directory: Path) -> list[File]:
    return [r for r in case.resources(case.cloud(directory)) if isinstance(r, File)]


def _read(case: cases.Case, directory: Path, spoil: str = "") -> dict[str, subprocess.CompletedProcess[str]]:
    """path -> what its program said, of each file of the case that a program reads. `spoil` is added to all of them."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    image = _image(_EXAMPLES.get(case.service, "full-cloud"))
    tree, layer = directory / "tree", directory / "layer"
    layer.mkdir()
    read: dict[str, str] = {}
    for file in _files(case, directory):
        target = tree / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        program = _program(case, file)
        target.write_text(file.content + (spoil if program else ""))
        target.chmod(file.mode | 0o444)
        if program:
            read[file.path] = program
    return {path: _run(image, layer, tree, program) for path, program in read.items()}


def _run(image: Path, layer: Path, tree: Path, program: str) -> subprocess.CompletedProcess[str]:
    argv = ["unshare", "--mount", "--net", "bash", "-c", _INSIDE, "inside", image, layer, tree, program]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("path", cases.CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_read_by_its_program(path: Path, tmp_path: Path) -> None:
    case = cases.read(path)
    said = _read(case, tmp_path)
    assert said or not _files(case, tmp_path), "nothing reads the files of this case"
    for name, done in said.items():
        assert done.returncode == 0, f"{name}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize(
    "name", ["haproxy/lan", "keepalived/lan", "mariadb/lan", "rabbitmq/lan", "valkey/lan", "keystone/first"]
)
def test_a_program_refuses_what_it_does_not_know(name: str, tmp_path: Path) -> None:
    """Else the test above could not fail."""
    said = _read(cases.read(cases.ROOT / f"tests/services/{name}.yaml"), tmp_path, "\nno_such_option = 1\n")
    others = ("/usr/lib/fournines/", "/etc/systemd/", "/etc/sysctl.d/")
    own = next(done for path, done in said.items() if not path.startswith(others))
    assert own.returncode != 0, own.stdout + own.stderr

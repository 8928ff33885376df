#!/usr/bin/env python3
"""Write src/fournines/services/known/*.json: the options that each service's configuration files really have.

    sudo PYTHONPATH=src .venv/bin/python scripts/known_options.py ROOT [SERVICE...]

ROOT is a Debian tree with the packages of the services (an image of the lab; what HAProxy's and Keepalived's lists are
read from, their documentation, an image leaves out). Each program is asked, or its own manual. Without names: every
service. Shape: {file: {section: {option: kind}}}, or {file: "CATALOGUE"} for another file of that folder; names may be
patterns with `*`, and kinds are those of `services.options`. Run again when the release changes.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from fournines.services import openstack, registry
from fournines.services.capabilities import UWSGI, ReadsOsloConfig

KNOWN = Path(__file__).parent.parent / "src/fournines/services/known"
#: option -> kind
Section = dict[str, str]
Options = dict[str, dict[str, Section] | str]

#: Options of the way in which every account here signs in; no service lists them.
AUTH = "from keystoneauth1 import loading\nprint(*(o.dest for o in loading.get_auth_plugin_conf_options('password')))"

#: Section -> option -> kind, of the namespaces in its arguments. Drivers' options that several give one name, with
#: different kinds, take any text.
DESCRIBE = """
import json, sys
from oslo_config import generator, types

def bounds(type):
    low, high = type.min, type.max
    return "" if low is None and high is None else f" {'' if low is None else low}..{'' if high is None else high}"

def kind(type):
    choices = getattr(type, "choices", None)
    if choices:
        fold = "anycase " if getattr(type, "ignore_case", False) else "choice "
        return fold + "|".join(str(c) for c in choices)
    if isinstance(type, types.Boolean):
        return "bool"
    if isinstance(type, types.Integer):
        return "int" + bounds(type)
    if isinstance(type, types.Float):
        return "float" + bounds(type)
    if isinstance(type, types.List):
        return ("list " + kind(type.item_type)).strip() if not type.bounds else "list"
    if isinstance(type, types.Dict):
        return "list"
    if isinstance(type, types.IPAddress):
        return "ip"
    return ""

found = {}
for _, groups in generator._list_opts(sys.argv[1:]):
    for group, opts in groups:
        section = found.setdefault(getattr(group, "name", group) or "DEFAULT", {})
        for opt in opts:
            own = ("multi " if opt.multi else "") + kind(opt.type)
            name = opt.dest.replace("-", "_")
            section[name] = own.strip() if section.get(name, own.strip()) == own.strip() else ""
print(json.dumps(found))
"""


def run(root: Path, *command: str) -> str:
    """Output of a command inside the tree; a help text's exit status says nothing."""
    return subprocess.run(["chroot", str(root), *command], capture_output=True, text=True, check=False).stdout


def text(root: Path, path: str) -> str:
    return gzip.decompress((root / path).read_bytes()).decode()


def oslo(root: Path, service: ReadsOsloConfig) -> Options:
    """What the libraries say of each file; of an API's uWSGI file, the list that all of them share."""
    auth = run(root, "python3", "-c", AUTH).split()
    found: Options = {}
    for file, own in service.namespaces.items():
        if own == UWSGI:
            found[file] = "uwsgi"
            continue
        said = run(root, "python3", "-W", "ignore", "-c", DESCRIBE, *own, *openstack.NAMESPACES)
        sections: dict[str, Section] = {
            s: options for s, options in json.loads(said.splitlines()[-1]).items() if options
        }
        for options in sections.values():
            if "auth_type" in options:
                options.update(dict.fromkeys(set(auth) - set(options), ""))
        found[file] = sections
        if "service_credentials" in sections:  # registered by the code alone, as options of a session
            sections["service_credentials"].setdefault("cafile", "")
    return found


def untyped(names: Iterable[str]) -> Section:
    """Options of which only the names are known."""
    return dict.fromkeys(names, "")


def _oslo_file(root: Path, name: str, file: str) -> tuple[Options, dict[str, Section]]:
    """`oslo` of a service, and of it the sections of one file, to be added to."""
    service = registry()[name]
    assert isinstance(service, ReadsOsloConfig)
    found = oslo(root, service)
    sections = found[file]
    assert isinstance(sections, dict)
    return found, sections


def _samples(root: Path, *names: str) -> Options:
    """Swift's options are only in its sample files: each section's, and those of DEFAULT, which all of them take."""
    found: Options = {}
    for name in names:
        sections: dict[str, set[str]] = {"DEFAULT": set()}
        section = "DEFAULT"
        for line in (root / "etc/swift" / name).read_text().splitlines():
            if head := re.fullmatch(r"\[(.+)\]", line):
                section = head[1]
            elif option := re.match(r"#? ?(?:set )?([a-z][\w.]*) ?=", line):
                sections.setdefault(section, set()).add(option[1])
        everywhere = sections["DEFAULT"]
        found[name] = {s: untyped(own | everywhere) for s, own in sections.items()}
    return found


def swift(root: Path) -> Options:
    return _samples(root, "proxy-server.conf", "swift.conf")


def swift_storage(root: Path) -> Options:
    servers = (f"{kind}-server.conf" for kind in ("account", "container", "object"))
    files = _samples(root, *servers, "internal-client.conf")
    return {**files, "rings": {"devices": {"*": "float 0.."}, "ring": {"part_power": "int 1..32"}}}


def glance(root: Path) -> Options:
    """What Ceph and systemd read of a mount is theirs; any name may be right."""
    found, stores = _oslo_file(root, "glance", "glance-api.conf")
    for chosen, described in (("swift", "swift"), ("ceph", "rbd"), ("s3", "s3")):
        stores[chosen] = stores[f"glance.store.{described}.store"]
    for files in ("nfs", "os_glance_staging_store", "os_glance_tasks_store"):
        stores[files] = stores["file"]
    account = ("user", "key", "user_domain_*", "project_domain_*", "auth_version", "auth_address")
    mount = ("What", "Where", "Type", "Options", "SloppyOptions", "LazyUnmount", "TimeoutSec", "DirectoryMode")
    return {
        **found,
        "glance-swift.conf": {"*": untyped(account)},
        "images.mount": {"Mount": untyped(mount), "Unit": {"*": "multi"}},
        "ceph.conf": {"*": {"*": "list"}},
    }


def nova_compute(root: Path) -> Options:
    """QEMU's by libvirt are in the file that its package brings, all but a few as comments."""
    described = (root / "etc/libvirt/qemu.conf").read_text()
    names = re.findall(r"^#? ?([a-z][a-z0-9_]+) = ", described, re.MULTILINE)
    return {**_oslo_file(root, "nova_compute", "nova-compute.conf")[0], "qemu.conf": {"": untyped(names)}}


def cinder(root: Path) -> Options:
    """How `service_user` signs in is listed but for the choice itself."""
    found, sections = _oslo_file(root, "cinder", "cinder.conf")
    sections["service_user"] |= untyped({"auth_type", "auth_section"} - set(sections["service_user"]))
    return found


def cinder_volume(root: Path) -> Options:
    """A back end has a section of any name."""
    found, sections = _oslo_file(root, "cinder_volume", "cinder-volume.conf")
    named = {"volume_driver": "", "backend_host": ""}
    sections["*"] = {**named, **sections["backend"], **sections["backend_defaults"]}
    return found


#: Of Django, of Horizon, and of what signs users in.
SETTINGS = """
from django.conf import global_settings
from openstack_dashboard import defaults as dashboard
from openstack_auth import defaults as auth
from horizon import defaults as horizon
print(*sorted({n for m in (global_settings, dashboard, auth, horizon) for n in dir(m) if n.isupper()}))
"""


def horizon(root: Path) -> Options:
    names = run(root, "python3", "-c", SETTINGS).split()
    return {"local_settings.py": {"": dict.fromkeys(names, "python")}, "uwsgi.ini": "uwsgi"}


def uwsgi(root: Path) -> Options:
    options = re.findall(r"--([a-z0-9][a-z0-9-]+)", run(root, "uwsgi_python3", "--help"))
    return {"uwsgi.ini": {"uwsgi": dict.fromkeys(options, "multi")}}


#: Of a server on an empty directory, which answers nobody else: a type has its bounds or its words.
VARIABLES = """
select lower(variable_name), variable_type, coalesce(numeric_min_value, ''), coalesce(numeric_max_value, ''),
  coalesce(enum_value_list, '') from information_schema.system_variables
"""
SERVER = """
mkdir /tmp/data && chown mysql /tmp/data && cd /tmp
mariadb-install-db --user=mysql --datadir=/tmp/data --auth-root-authentication-method=socket > /dev/null 2>&1
mariadbd --no-defaults --user=mysql --datadir=/tmp/data --skip-networking --socket=/tmp/s > /dev/null 2>&1 &
for i in $(seq 60); do mariadb -S /tmp/s -N -B -e "$0" 2> /dev/null && break; sleep 1; done
mariadb-admin -S /tmp/s shutdown
"""


def _variable(kind: str, low: str, high: str, words: str) -> str:
    """A size may have a unit (`256M`), and what is switched on and off may have a third word."""
    if kind == "BOOLEAN":
        return "anycase ON|OFF|1|0|true|false"
    if kind == "ENUM" and words:
        # By its number too.
        return "anycase " + "|".join([*words.split(","), *map(str, range(words.count(",") + 1))])
    return f"size {low}..{high}" if kind.startswith(("INT", "BIGINT")) and not low.startswith("-") else ""


def mariadb(root: Path) -> Options:
    table = run(root, "mariadbd", "--no-defaults", "--verbose", "--help").partition("\n-----")[2]
    names = re.findall(r"^([a-z][a-z0-9-]+) ", table, re.MULTILINE)
    inside = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0/tmp"; exec chroot "$0" sh -c "$1" "$2"']
    said = subprocess.run([*inside, str(root), SERVER, VARIABLES], capture_output=True, text=True, check=True).stdout
    kinds = {name: _variable(*rest) for name, *rest in (line.split("\t") for line in said.splitlines())}
    options = {name: kinds.get(name, "") for name in (name.replace("-", "_") for name in names)}
    # Galera's own, which exist only once the provider is loaded.
    return {"my.cnf": {"mariadbd": {**options, "wsrep_provider_*": ""}}}


def mariadb_replica(_: Path) -> Options:
    return {"my.cnf": "mariadb"}


def mariadb_shared(_: Path) -> Options:
    return {"my.cnf": "mariadb"}


def _datatype(mapping: str) -> str:
    """Of cuttlefish: several types are alternatives."""
    if re.search(r"\{datatype, *\[?integer\]?\}", mapping):
        return "int"
    if words := re.search(r"\{datatype, *\[?\{enum, *\[([^\]]*)\]\}\]?\}", mapping):
        return "choice " + "|".join(word.strip() for word in words[1].replace("'", "").split(","))
    return ""


def rabbitmq(root: Path) -> Options:
    plugins = root / "usr/lib/rabbitmq/lib"
    kinds: Section = {}
    for plugin in ("rabbit", "rabbitmq_management", "rabbitmq_management_agent", "rabbitmq_web_dispatch"):
        for schema in plugins.glob(f"*/plugins/{plugin}-*/priv/schema/*.schema"):
            text = re.sub(r"^ *%.*$", "", schema.read_text(), flags=re.MULTILINE)
            for name, mapping in re.findall(r'^\{mapping,\s*"([^"]+)"(.*?)\}\.\s*$', text, re.MULTILINE | re.DOTALL):
                kinds[re.sub(r"\$\w+", "*", name)] = _datatype(mapping)
    return {"rabbitmq.conf": {"": kinds}}


def rabbitmq_shared(_: Path) -> Options:
    return {"rabbitmq.conf": "rabbitmq"}


def memcached(root: Path) -> Options:
    flags = re.findall(r"^(-\w|--[\w-]+)", run(root, "memcached", "-h"), re.MULTILINE)
    return {"memcached.conf": {"": untyped(flags)}}


def valkey(root: Path) -> Options:
    """What a server without data says of itself; of a Sentinel's own options, those that its manual names."""
    asked = (
        "valkey-server --bind 127.0.0.1 --save '' --dir /tmp > /dev/null 2>&1 & sleep 1; valkey-cli config get '*';"
        " valkey-cli shutdown nosave"
    )
    inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec chroot "$1" sh -c "$2"', "sh", str(root), asked]
    said = subprocess.run(inside, capture_output=True, text=True, check=True).stdout.splitlines()
    switches = {name for name, value in zip(said[::2], said[1::2], strict=False) if value in ("yes", "no")}
    several = dict.fromkeys(("user", "save", "rename-command", "loadmodule", "include"), "multi")
    server = {**untyped(said[::2]), **dict.fromkeys(switches, "choice yes|no"), **several}
    documented = (root / "etc/valkey/sentinel.conf").read_text()
    own = set(re.findall(r"^(?:# )?(sentinel [a-z-]+)", documented, re.MULTILINE))
    sentinel = {"bind", "port", "dir", "requirepass", "loglevel", "logfile", *own, *(f"{name} *" for name in own)}
    return {"server.conf": {"": server}, "sentinel.conf": {"": untyped(sentinel)}}


def haproxy(root: Path) -> Options:
    manual = text(root, "usr/share/doc/haproxy/configuration.txt.gz")
    chapters = {
        title: manual[manual.index(f"\n{title}\n") : manual.index(f"\n{following}\n")]
        for title, following in (
            ("3. Global parameters", "3.1. Process management and security"),
            ("4.1. Proxy keywords matrix", "4.2. Alphabetically sorted keywords reference"),
        )
    }
    found: dict[str, set[str]] = {name: set() for name in ("defaults", "frontend *", "listen *", "backend *")}
    for row in re.finditer(
        r"^(\S.*?) {2,}((?:[X-](?: \(!\))? *){4})$", chapters["4.1. Proxy keywords matrix"], re.MULTILINE
    ):
        allowed = re.findall("[X-]", row[2])
        for section, mark in zip(found, allowed, strict=True):
            # `http-request set-header`, `stats socket`: the keyword's own first arguments may be part of the name.
            found[section] |= {row[1], f"{row[1]} *"} if mark == "X" else set()
    words = re.findall(r"^   - (\S+)", chapters["3. Global parameters"], re.MULTILINE)
    sections = {"global": {*words, "stats *", "log"}, **found}
    return {"haproxy.cfg": {section: dict.fromkeys(names, "multi") for section, names in sections.items()}}


def keepalived(root: Path) -> Options:
    manual = text(root, "usr/share/man/man5/keepalived.conf.5.gz")
    words = set(re.findall(r"\\fB([a-z][a-z0-9_]+) ?\\fR", manual))
    sections = (
        "global_defs",
        "vrrp_instance *",
        "vrrp_script *",
        "vrrp_sync_group *",
        "track_file *",
        "track_process *",
    )
    return {"keepalived.conf": {section: dict.fromkeys(words, "block") for section in sections}}


def corosync(root: Path) -> Options:
    """The keys that its own reader of corosync.conf asks for; some it puts together from parts."""
    binary = (root / "usr/sbin/corosync").read_bytes()
    sections: dict[str, set[str]] = {"totem": {"token"}, "quorum": {"two_node"}, "system": set()}
    sections["logging"] = {"to_syslog", "to_stderr", "to_logfile", "logfile", "syslog_facility", "debug"}
    for section, names in sections.items():
        names |= {name.decode() for name in re.findall(rb"\b%b\.([a-z_]+)\0" % section.encode(), binary)}
    numbers = {"token", "consensus", "join", "max_messages", "window_size", "netmtu"}
    kinds = {
        "debug": "choice off|on|trace",
        "token_warning": "int 0..100",
        "token_coefficient": "int 0..",
        **dict.fromkeys(numbers, "int 1.."),
    }
    return {"corosync.conf": {section: untyped(names) | {n: kinds[n] for n in names & kinds.keys()}
                              for section, names in sections.items()}}  # fmt: skip


def pacemaker(root: Path) -> Options:
    """Properties of the cluster, as its own tool describes them."""
    said = run(root, "/usr/sbin/crm_attribute", "--list-options=cluster", "--all", "--output-as=xml")
    found: Section = {}
    for parameter in ElementTree.fromstring(said).iter("parameter"):  # noqa: S314
        content = parameter.find("content")
        if content is None or parameter.get("generated") == "1":
            continue
        choices = "|".join(option.get("value", "") for option in content.iter("option"))
        kind = {"boolean": "bool", "integer": "int", "select": f"choice {choices}"}.get(content.get("type", ""), "")
        found[parameter.get("name", "")] = kind
    return {"cib": {"properties": found}}


def journald(root: Path) -> Section:
    """What systemd's own file names, commented out with the value that holds without it."""
    lines = re.findall(r"^#(\w+)=(.*)$", (root / "etc/systemd/journald.conf").read_text(), re.MULTILINE)
    return {name: "bool" if value in ("yes", "no") and name != "Compress" else "" for name, value in lines}


def base(root: Path) -> Options:
    names = subprocess.run(["sysctl", "-aN"], capture_output=True, text=True, check=True).stdout.split()
    per_device = re.compile(r"(net\.ipv[46]\.(?:conf|neigh))\.(?!all\b|default\b)[^.]+(?:\.\d+)?\.")
    # Of modules that need not be loaded where this runs.
    modules = {"net.netfilter.*", "net.bridge.*"}
    kernel = dict.fromkeys({per_device.sub(r"\1.*.", name) for name in names} | modules, "words")
    return {"sysctl.conf": {"": kernel}, "journald.conf": {"Journal": journald(root)}}


def write(service: str, options: Options) -> None:
    path = KNOWN / f"{service}.json"
    path.write_text(json.dumps(options, indent=0, sort_keys=True, separators=(",", ":")) + "\n")
    counted = {file: s if isinstance(s, str) else sum(map(len, s.values())) for file, s in options.items()}
    print(f"{path.name}: {counted}")


PROGRAMS = (
    base,
    cinder,
    cinder_volume,
    corosync,
    glance,
    haproxy,
    horizon,
    keepalived,
    mariadb,
    mariadb_replica,
    mariadb_shared,
    memcached,
    nova_compute,
    pacemaker,
    rabbitmq,
    rabbitmq_shared,
    swift,
    swift_storage,
    uwsgi,
    valkey,
)


def main(arguments: Iterable[str]) -> None:
    root, *names = (*arguments, "")
    if not (Path(root) / "usr/bin").is_dir():
        sys.exit(__doc__)
    KNOWN.mkdir(exist_ok=True)
    asked = {find.__name__: find for find in PROGRAMS}
    services = registry()
    readers = [name for name, service in services.items() if isinstance(service, ReadsOsloConfig)]
    for name in [n for n in names if n] or sorted({*asked, *readers}):
        options: Options = asked[name](Path(root)) if name in asked else {}
        service = services.get(name)
        if name not in asked and isinstance(service, ReadsOsloConfig):
            options |= oslo(Path(root), service)
        write(name, options)


main(sys.argv[1:])

#!/usr/bin/env python3
"""Write src/fournines/services/known/*.json: the options that each service's configuration files really have.

    sudo PYTHONPATH=src .venv/bin/python scripts/known_options.py ROOT [SERVICE...]

ROOT is a Debian tree with the packages of the services (an image of the lab; what HAProxy's and Keepalived's lists are
read from, their documentation, an image leaves out). Each program is asked, or its own manual. Without names: every
service. Shape: {file: {section: [options]}}, or {file: "CATALOGUE"} for another file of that folder; names may be
patterns with `*`. Run again when the release changes.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from fournines.services import openstack, registry
from fournines.services.capabilities import UWSGI, ReadsOsloConfig

KNOWN = Path(__file__).parent.parent / "src/fournines/services/known"
Options = dict[str, dict[str, list[str]] | str]

#: Options of the way in which every account here signs in; no service lists them.
AUTH = "from keystoneauth1 import loading\nprint(*(o.dest for o in loading.get_auth_plugin_conf_options('password')))"


def run(root: Path, *command: str) -> str:
    """Output of a command inside the tree; a help text's exit status says nothing."""
    return subprocess.run(["chroot", str(root), *command], capture_output=True, text=True, check=False).stdout


def text(root: Path, path: str) -> str:
    return gzip.decompress((root / path).read_bytes()).decode()


def oslo(root: Path, service: ReadsOsloConfig) -> Options:
    """What oslo.config's generator says of each file; of an API's uWSGI file, the list that all of them share."""
    auth = run(root, "python3", "-c", AUTH).split()
    found: Options = {}
    for file, own in service.namespaces.items():
        if own == UWSGI:
            found[file] = "uwsgi"
            continue
        namespaces = [word for name in (*own, *openstack.NAMESPACES) for word in ("--namespace", name)]
        described = json.loads(run(root, "oslo-config-generator", *namespaces, "--format", "json"))
        sections = {
            section: {option["name"].replace("-", "_") for option in group["opts"]}
            for section, group in described["options"].items()
        }
        signs_in = {section for section, names in sections.items() if "auth_type" in names}
        found[file] = {s: sorted(names.union(auth if s in signs_in else ())) for s, names in sections.items()}
        if "service_credentials" in found[file]:  # registered by the code alone, as options of a session
            found[file]["service_credentials"] = sorted({*found[file]["service_credentials"], "cafile"})
    return found


def _oslo_file(root: Path, name: str, file: str) -> tuple[Options, dict[str, list[str]]]:
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
        found[name] = {s: sorted(own | everywhere) for s, own in sections.items()}
    return found


def swift(root: Path) -> Options:
    return _samples(root, "proxy-server.conf", "swift.conf")


def swift_storage(root: Path) -> Options:
    servers = (f"{kind}-server.conf" for kind in ("account", "container", "object"))
    files = _samples(root, *servers, "internal-client.conf")
    return {**files, "rings": {"devices": ["*"], "ring": ["part_power"]}}


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
        "glance-swift.conf": {"*": list(account)},
        "images.mount": {"Mount": list(mount), "Unit": ["*"]},
        "ceph.conf": {"*": ["*"]},
    }


def cinder(root: Path) -> Options:
    """How `service_user` signs in is listed but for the choice itself."""
    found, sections = _oslo_file(root, "cinder", "cinder.conf")
    sections["service_user"] = sorted({*sections["service_user"], "auth_type", "auth_section"})
    return found


def cinder_volume(root: Path) -> Options:
    """A back end has a section of any name."""
    found, sections = _oslo_file(root, "cinder_volume", "cinder-volume.conf")
    sections["*"] = sorted({*sections["backend"], *sections["backend_defaults"], "volume_driver", "backend_host"})
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
    return {"local_settings.py": {"": run(root, "python3", "-c", SETTINGS).split()}, "uwsgi.ini": "uwsgi"}


def uwsgi(root: Path) -> Options:
    options = re.findall(r"--([a-z0-9][a-z0-9-]+)", run(root, "uwsgi_python3", "--help"))
    return {"uwsgi.ini": {"uwsgi": sorted(set(options))}}


def mariadb(root: Path) -> Options:
    table = run(root, "mariadbd", "--no-defaults", "--verbose", "--help").partition("\n-----")[2]
    names = re.findall(r"^([a-z][a-z0-9-]+) ", table, re.MULTILINE)
    # Galera's own, which exist only once the provider is loaded.
    options = {*(name.replace("-", "_") for name in names), "wsrep_provider_*"}
    return {"my.cnf": {"mariadbd": sorted(options)}}


def rabbitmq(root: Path) -> Options:
    plugins = root / "usr/lib/rabbitmq/lib"
    names: set[str] = set()
    for plugin in ("rabbit", "rabbitmq_management", "rabbitmq_management_agent", "rabbitmq_web_dispatch"):
        for schema in plugins.glob(f"*/plugins/{plugin}-*/priv/schema/*.schema"):
            names |= set(re.findall(r'^\{mapping,\s*"([^"]+)"', schema.read_text(), re.MULTILINE))
    return {"rabbitmq.conf": {"": sorted(re.sub(r"\$\w+", "*", name) for name in names)}}


def memcached(root: Path) -> Options:
    return {
        "memcached.conf": {"": sorted(set(re.findall(r"^(-\w|--[\w-]+)", run(root, "memcached", "-h"), re.MULTILINE)))}
    }


def valkey(root: Path) -> Options:
    """What a server without data says of itself; of a Sentinel's own options, those that its manual names."""
    asked = (
        "valkey-server --bind 127.0.0.1 --save '' --dir /tmp > /dev/null 2>&1 & sleep 1; valkey-cli config get '*';"
        " valkey-cli shutdown nosave"
    )
    inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec chroot "$1" sh -c "$2"', "sh", str(root), asked]
    said = subprocess.run(inside, capture_output=True, text=True, check=True).stdout
    names = {*said.splitlines()[::2], "user"}
    documented = (root / "etc/valkey/sentinel.conf").read_text()
    own = set(re.findall(r"^(?:# )?(sentinel [a-z-]+)", documented, re.MULTILINE))
    sentinel = {"bind", "port", "dir", "requirepass", "loglevel", "logfile", *own, *(f"{name} *" for name in own)}
    return {"server.conf": {"": sorted(names)}, "sentinel.conf": {"": sorted(sentinel)}}


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
    return {"haproxy.cfg": {"global": sorted({*words, "stats *", "log"}), **{k: sorted(v) for k, v in found.items()}}}


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
    return {"keepalived.conf": {section: sorted(words) for section in sections}}


def base(_root: Path) -> Options:
    names = subprocess.run(["sysctl", "-aN"], capture_output=True, text=True, check=True).stdout.split()
    per_device = re.compile(r"(net\.ipv[46]\.(?:conf|neigh))\.(?!all\b|default\b)[^.]+(?:\.\d+)?\.")
    # Of modules that need not be loaded where this runs.
    modules = {"net.netfilter.*", "net.bridge.*"}
    return {"sysctl.conf": {"": sorted({per_device.sub(r"\1.*.", name) for name in names} | modules)}}


def write(service: str, options: Options) -> None:
    path = KNOWN / f"{service}.json"
    path.write_text(json.dumps(options, indent=1, sort_keys=True) + "\n")
    counted = {file: s if isinstance(s, str) else sum(map(len, s.values())) for file, s in options.items()}
    print(f"{path.name}: {counted}")


PROGRAMS = (
    base,
    cinder,
    cinder_volume,
    glance,
    haproxy,
    horizon,
    keepalived,
    mariadb,
    memcached,
    rabbitmq,
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

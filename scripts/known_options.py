#!/usr/bin/env python3
"""Write src/fournines/services/known/*.json: the options that each service's configuration files really have.

    sudo scripts/known_options.py ROOT

ROOT is a Debian tree with the packages of the services and their documentation (an image that excludes /usr/share/doc
and /usr/share/man lacks what HAProxy's and Keepalived's lists are read from). Each program is asked, or its own manual.
Shape: {file: {section: [options]}}; names may be patterns with `*`. Run again when the release changes.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

KNOWN = Path(__file__).parent.parent / "src/fournines/services/known"
Options = dict[str, dict[str, list[str]]]

KEYSTONE_NAMESPACES = (
    "keystone",
    *(f"oslo.{name}" for name in ("cache", "db", "log", "messaging", "middleware", "policy")),
    "osprofiler",
)


def run(root: Path, *command: str) -> str:
    """Output of a command inside the tree; a help text's exit status says nothing."""
    return subprocess.run(["chroot", str(root), *command], capture_output=True, text=True, check=False).stdout


def text(root: Path, path: str) -> str:
    return gzip.decompress((root / path).read_bytes()).decode()


def keystone(root: Path) -> Options:
    namespaces = [word for name in KEYSTONE_NAMESPACES for word in ("--namespace", name)]
    described = json.loads(run(root, "oslo-config-generator", *namespaces, "--format", "json"))
    config = {
        section: sorted(option["name"].replace("-", "_") for option in group["opts"])
        for section, group in described["options"].items()
    }
    uwsgi = re.findall(r"--([a-z0-9][a-z0-9-]+)", run(root, "uwsgi_python3", "--help"))
    return {"keystone.conf": config, "uwsgi.ini": {"uwsgi": sorted(set(uwsgi))}}


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
    counted = {file: sum(map(len, sections.values())) for file, sections in options.items()}
    print(f"{path.name}: {counted}")


def main(arguments: Iterable[str]) -> None:
    root = Path(next(iter(arguments), ""))
    if not (root / "usr/share/doc/haproxy").is_dir():
        sys.exit(__doc__)
    KNOWN.mkdir(exist_ok=True)
    for find in (base, haproxy, keepalived, keystone, mariadb, memcached, rabbitmq):
        write(find.__name__, find(root))


main(sys.argv[1:])

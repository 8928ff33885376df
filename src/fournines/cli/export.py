"""`fournines export`: what other tools take from a cloud file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import click
from ruamel.yaml import YAML

from fournines.cloud import json_schema, load
from fournines.cloud.model import Cloud, Host
from fournines.errors import FourninesError

EXAMPLES = """\b
Examples:
  fournines export schema > cloud.schema.json
  fournines export clouds.yaml cloud.yaml > ~/.config/openstack/clouds.yaml
  fournines export ansible-inventory cloud.yaml > inventory.yaml
"""


@click.group(help=f"Write what other tools take from a cloud file.\n\n{EXAMPLES}")
def command() -> None:
    pass


@command.command()
def schema() -> None:
    """The JSON Schema of the cloud file, for editors and other tools."""
    click.echo(json.dumps(json_schema(), indent=2))


@command.command()
def reference() -> None:
    """The reference of the cloud file, as Markdown."""
    from fournines.cli.reference import reference as render

    click.echo(render(), nl=False)


@command.command("clouds.yaml")
@click.argument("cloud", type=click.Path(path_type=Path))
def clouds_yaml(cloud: Path) -> None:
    """clouds.yaml of CLOUD for the `openstack` client. Holds the administrator's password."""
    from fournines.services.keystone import clouds_yaml as render
    from fournines.services.tls import ca_certificate

    made = load(cloud)
    if "keystone.admin" not in made.secrets.names():
        raise FourninesError(
            f"{made.name} has no administrator yet",
            why="its secrets are made by the first apply",
            next=f"fournines apply {cloud}",
        )
    authority = made.state_dir / "ca.pem"
    authority.parent.mkdir(parents=True, exist_ok=True)
    authority.write_text(ca_certificate(made))
    click.echo(render(made, str(authority)), nl=False)


@command.command("ansible-inventory")
@click.argument("cloud", type=click.Path(path_type=Path))
def ansible_inventory(cloud: Path) -> None:
    """The hosts of CLOUD as an Ansible inventory: a group each for region, zone, role and service."""
    from fournines import lab

    yaml = cast(Any, YAML())
    yaml.width = 4096
    yaml.dump(inventory(lab.access(load(cloud))), sys.stdout)


def inventory(cloud: Cloud) -> dict[str, Any]:
    """Ansible's YAML inventory. Groups are `region_phx`, `phx_rack1`, `role_controller`, `service_mariadb`."""
    groups: dict[str, dict[str, None]] = {}
    for host in cloud.hosts:
        names = [f"region_{host.region}", f"zone_{host.region}_{host.zone.name}"]
        names += [f"role_{r}" for r in host.roles] + [f"service_{s}" for s in sorted(host.services)]
        for name in names:
            groups.setdefault(_group(name), {})[host.name] = None
    children = {name: {"hosts": members} for name, members in groups.items()}
    return {"all": {"hosts": {h.name: _variables(h) for h in cloud.hosts}, "children": children}}


def _group(name: str) -> str:
    """Ansible takes letters, digits and underscores."""
    return "".join(c if c.isalnum() else "_" for c in name)


def _variables(host: Host) -> dict[str, Any]:
    variables: dict[str, Any] = {"ansible_host": str(host.address), "ansible_user": host.ssh.user}
    if host.ssh.port != 22:
        variables["ansible_port"] = host.ssh.port
    if host.ssh.user != "root":
        variables["ansible_become"] = True
    if host.ssh.key:
        variables["ansible_ssh_private_key_file"] = str(host.ssh.key)
    if host.ssh.known_hosts:
        variables["ansible_ssh_common_args"] = f"-o UserKnownHostsFile={host.ssh.known_hosts}"
    return variables

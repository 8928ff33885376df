"""The hosts of a cloud as Ansible knows them."""

from __future__ import annotations

from io import StringIO
from typing import Any, cast

from ruamel.yaml import YAML

from fournines.cloud.model import Cloud, Host


def inventory_yaml(cloud: Cloud) -> str:
    yaml, text = cast(Any, YAML()), StringIO()
    yaml.width = 4096
    yaml.dump(inventory(cloud), text)
    return text.getvalue()


def inventory(cloud: Cloud) -> dict[str, Any]:
    """Ansible's YAML inventory. Groups are `region_phx`, `zone_phx_rack1`, `role_controller`, `service_mariadb`."""
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

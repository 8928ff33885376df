"""How fournines reaches the hosts of a lab: as any others, over SSH, with the lab's own key."""

from __future__ import annotations

from dataclasses import replace

from fournines.cloud.model import Cloud, Ssh
from fournines.lab.state import LABS, exists


def ssh(cloud: str) -> Ssh:
    """Key and known hosts of the lab named `cloud`."""
    directory = LABS / cloud / "ssh"
    return Ssh(user="root", key=directory / "id_ed25519", known_hosts=directory / "known_hosts")


def access(cloud: Cloud) -> Cloud:
    """`cloud` with each host's `ssh` set for its lab; unchanged when no lab of its name is up."""
    if not exists(cloud.name):
        return cloud
    entry = ssh(cloud.name)
    regions = {
        name: replace(region, hosts=tuple(replace(host, ssh=entry) for host in region.hosts))
        for name, region in cloud.regions.items()
    }
    return replace(cloud, regions=regions)


def ssh_command(cloud: str, address: str, within: float) -> list[str]:
    """The words by which OpenSSH's client logs in to a host of the lab named `cloud`; its command goes behind them.
    within: seconds for the host to greet."""
    entry = ssh(cloud)
    options = ["-i", str(entry.key), "-o", f"UserKnownHostsFile={entry.known_hosts}", "-o", "IdentitiesOnly=yes"]
    options += ["-o", "StrictHostKeyChecking=yes", "-o", f"ConnectTimeout={within:.0f}", "-F", "none"]
    return ["ssh", *options, f"{entry.user}@{address}"]

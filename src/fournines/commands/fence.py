"""A host's power, switched by its own controller, through the cluster that it is a member of."""

from __future__ import annotations

import shlex

from fournines.cloud.model import Cloud, Host
from fournines.engine import SshOptions, connect
from fournines.errors import HostError, UsageError
from fournines.services.pacemaker import COMMAND

#: Seconds for which a member may be busy with it; `stonith_admin` gives up before.
_PATIENCE = 120.0


def others(cloud: Cloud, target: Host) -> tuple[Host, ...]:
    """The members of its cluster that may switch `target`. Raises UsageError: it has no controller, or no cluster."""
    if target.bmc is None:
        raise UsageError(
            f"{target.name} has no power controller",
            where=str(cloud.source),
            next=f"give it one in the cloud file, `bmc: {{address: ADDRESS}}`, and its password as `bmc.{target.name}` "
            "in the secrets file",
        )
    members = cloud.hosts_of("pacemaker", target.region)
    if target not in members:
        raise UsageError(
            f"{target.name} is no member of a cluster",
            why="members of Pacemaker's cluster switch one another's power",
            next="pattern: {cluster: pacemaker}, for hosts of the role endpoint",
        )
    return tuple(h for h in members if h != target)


async def switch(members: tuple[Host, ...], target: Host, action: str, ssh: SshOptions) -> str:
    """`action`: on, off, status. What the first member says that can. Raises HostError: none could."""
    script = f"{COMMAND} power {action} {shlex.quote(target.name)}"
    reasons: list[str] = []
    async with connect(members, ssh) as hosts:
        for name, member in hosts.items():
            done = await member.run(script, timeout=_PATIENCE)
            if done.status == 0:
                return done.stdout.strip()
            reasons.append(f"{name}: {(done.stderr or done.stdout).strip()}")
        reasons += [f"{name}: {error.what}" for name, error in hosts.failures.items()]
    raise HostError(
        f"{target.name} could not be {'asked' if action == 'status' else f'switched {action}'}",
        where=", ".join(h.name for h in members),
        why="\n        ".join(reasons),
        next=f"see that a member of the cluster reaches {target.bmc and target.bmc.url}: fournines status",
    )

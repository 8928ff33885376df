"""The kinds of jobs there are. One entry here is a route of the API, an entry of its OpenAPI document, and a form
of the dashboard; `tasks_all` has what the worker process calls for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fournines.web.arguments import (
    Arguments,
    OfBackup,
    OfCalm,
    OfDrain,
    OfFence,
    OfHost,
    OfHosts,
    OfLeaving,
    OfNewHost,
    OfNothing,
    OfPlan,
    OfPower,
    OfProve,
    OfReboot,
    OfRecover,
    OfRelease,
    OfReplaced,
    OfRestored,
    OfRotate,
    OfSmoke,
    OfUpgrade,
    OfVerified,
    OfVersions,
    OfWipe,
)
from fournines.web.roles import Role

#: How the page groups what it offers.
Group = Literal["", "Maintenance", "Size", "Secrets and data", "Power", "Lab", "Checks"]


@dataclass(frozen=True)
class Kind:
    """locks: it takes the cloud's lock. confirm: what the page asks first, "" for nothing. group: among which
    operations the page offers it; "": it has a page of its own. typed: the argument whose value is typed to confirm
    it, or "cloud". again: begun anew with the same arguments, it continues what was interrupted."""

    name: str
    title: str
    what: str
    role: Role
    arguments: type[Arguments]
    locks: bool = True
    confirm: str = ""
    group: Group = ""
    typed: str = ""
    again: bool = False


def _operation(
    name: str,
    title: str,
    what: str,
    arguments: type[Arguments],
    *,
    group: Group,
    confirm: str,
    typed: str = "",
    locks: bool = True,
    again: bool = True,
) -> Kind:
    """What changes hosts: a drain, too, carries out whatever else the cloud file asks for."""
    return Kind(name, title, what, "admin", arguments, locks, confirm, group, typed, again)


_ALL = (
    Kind("plan", "Plan", "What apply would change, host by host.", "operator", OfHosts, locks=False),
    Kind(
        "apply",
        "Apply",
        "Carry out a plan that was shown, exactly as it is; refused when the hosts are no longer what they were.",
        "admin",
        OfPlan,
        confirm="Apply this plan?",
    ),
    Kind(
        "prove",
        "Prove",
        "Inject faults, measure the outage that a client sees, check that nothing is lost.",
        "admin",
        OfProve,
        confirm="Inject these faults? Clients will feel them.",
    ),
    _operation(
        "drain",
        "Drain",
        "Move a host's load to the others, and keep it away. Refused when the rest could not serve.",
        OfDrain,
        group="Maintenance",
        confirm="Drain this host?",
    ),
    _operation(
        "undrain",
        "Undrain",
        "Let a drained host carry load again.",
        OfHost,
        group="Maintenance",
        confirm="Let this host carry load again?",
    ),
    _operation(
        "reboot",
        "Reboot",
        "Hosts one after another: drained, rebooted, fully redundant again, undrained. Asked again, it continues.",
        OfReboot,
        group="Maintenance",
        confirm="Reboot these hosts, one after another?",
    ),
    _operation(
        "upgrade",
        "Upgrade packages",
        "Packages of the same release, or another release, zone after zone, each host drained before. Asked again, it"
        " continues.",
        OfUpgrade,
        group="Maintenance",
        confirm="Upgrade the packages of this cloud's hosts?",
    ),
    _operation(
        "upgrade-release",
        "Upgrade to a release",
        "Another release of OpenStack by the Debian that has it, host after host; what cannot run beside its older self"
        " goes last, on all hosts at once. Asked again, it continues.",
        OfRelease,
        group="Maintenance",
        confirm="Go to this release? No host that has changed goes back.",
        typed="cloud",
    ),
    _operation(
        "replace",
        "Replace",
        "Another machine, or an empty disk, in the place of a host that no longer works. The others take out what it"
        " was; then it joins like a new one.",
        OfReplaced,
        group="Maintenance",
        confirm="Replace this host? Refused while it works.",
        typed="host",
    ),
    _operation(
        "scale-add",
        "Add a host",
        "Write the host into the cloud file and bring it up: base, database and broker join, load balancers last.",
        OfNewHost,
        group="Size",
        confirm="Add this host?",
    ),
    _operation(
        "scale-remove",
        "Take a host out",
        "In phases: drained; no longer counted on; stopped, database and broker last; forgotten. Its entry goes from"
        " the cloud file.",
        OfLeaving,
        group="Size",
        confirm="Take this host out?",
        typed="host",
    ),
    _operation(
        "rotate",
        "Rotate secrets",
        "New passwords, keys and certificates, in phases in which the old and the new are valid.",
        OfRotate,
        group="Secrets and data",
        confirm="Rotate these secrets?",
    ),
    _operation(
        "backup",
        "Back up",
        "The database as it is, while writes go on, the cloud's secrets, the bus's definitions, Swift's rings;"
        " encrypted, and verified before it counts.",
        OfBackup,
        group="Secrets and data",
        confirm="Take a backup?",
    ),
    _operation(
        "backup-verify",
        "Verify a backup",
        "Restore it into a scratch instance beside the database, and compare.",
        OfVerified,
        group="Secrets and data",
        confirm="",
    ),
    _operation(
        "restore",
        "Restore",
        "The databases as they were. What writes to them stops meanwhile; what was written since is lost.",
        OfRestored,
        group="Secrets and data",
        confirm="Restore? Everything written to the databases since then will be lost.",
        typed="cloud",
    ),
    _operation(
        "recover",
        "Recover",
        "What does not come back by itself: hosts that are lost for good, databases with different histories, a file of"
        " secrets that is lost. Every host is looked at, and what each way out loses is said.",
        OfRecover,
        group="Secrets and data",
        confirm="Recover? What the way out loses, as the look says, is lost.",
        typed="cloud",
    ),
    _operation(
        "fence",
        "Fence",
        "Switch a host's power by its own controller, through the cluster that it is a member of, or ask for it.",
        OfFence,
        group="Power",
        confirm="Switch the power of this host?",
        locks=False,
        again=False,
    ),
    _operation(
        "power",
        "Lab power",
        "Press the power switch of a host of a lab. Off is the loss of power: nothing is shut down.",
        OfPower,
        group="Lab",
        confirm="Press the power switch of this host?",
        locks=False,
        again=False,
    ),
    _operation(
        "wipe",
        "Another machine",
        "Put a new machine in the place of a lab's host: power off, an empty disk, boot. What Replace is for.",
        OfWipe,
        group="Lab",
        confirm="Put a new machine in its place? All that this host wrote is lost.",
        typed="host",
        locks=False,
        again=False,
    ),
    Kind(
        "smoke",
        "Smoke test",
        "Use every service once, as a user does, and clean up.",
        "operator",
        OfSmoke,
        group="Checks",
        again=True,
    ),
    Kind(
        "versions",
        "Versions of packages",
        "What the services' packages are on each host, and could be: installed, candidate, security updates, the lock.",
        "operator",
        OfVersions,
        locks=False,
        group="Checks",
        again=True,
    ),
    Kind(
        "observe",
        "Limits, measured",
        "Hold the formulas of the design's limits against what the hosts take now: connections, sessions, memory.",
        "operator",
        OfNothing,
        locks=False,
        group="Checks",
        again=True,
    ),
    Kind(
        "calm",
        "Calm",
        "Inject nothing, ask gently, and count what happens all the same: moved VIPs, lost leases, restarts.",
        "admin",
        OfCalm,
        confirm="Watch the calm? Clients ask gently meanwhile.",
        group="Checks",
        again=True,
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}

"""What each kind of job takes: the routes' bodies, and the dashboard's forms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

#: A name of a host, zone, role as a cloud file may have one: nothing that means anything else in it.
Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
HostName = Annotated[str, Field(min_length=1, max_length=253, title="Host")]
DryRun = Annotated[bool, Field(title="Show the plan only")]
Canary = Annotated[
    str, Field(max_length=253, title="Canary", description="This zone first, and nothing after it until told.")
]
Onward = Annotated[bool, Field(title="Continue", description="Go on after the canary.")]
Reboots = Annotated[bool, Field(title="Reboot", description="Into newer kernels, of the control plane.")]
BackupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*-\d{8}T\d{6}Z$", max_length=200, title="Backup")]


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OfHosts(Arguments):
    hosts: Annotated[
        list[str], Field(max_length=20_000, title="Hosts", description="Only these; none named: all.")
    ] = []


class OfPlan(Arguments):
    plan: Annotated[
        str, Field(pattern=r"^[0-9TZ]+-[a-z0-9-]+$", title="Plan", description="The job that made the plan, as shown.")
    ]


class OfSmoke(Arguments):
    region: Annotated[str | None, Field(title="Region", description="Where there are several.")] = None
    only: Annotated[list[str], Field(title="Steps", description="Only these, and what they build on.")] = []
    timeout: Annotated[
        float, Field(gt=0, le=3600, title="Timeout, s", description="That anything may take to become ready.")
    ] = 180.0


class OfProve(Arguments):
    faults: Annotated[
        str, Field(max_length=20_000, title="Faults", description="NAME@TARGET, separated by commas; or each, all.")
    ] = ""
    suite: Annotated[
        Literal["", "smoke", "standard", "full"], Field(title="Suite", description="Instead of faults.")
    ] = ""
    duration: Annotated[str, Field(max_length=20, title="Duration", description="Of faults that are healed: 20s.")] = ""
    baseline: Annotated[
        Literal["", "kolla-22.2", "osa-33", "ha-guide"],
        Field(title="Baseline", description="Also under a peer's timing."),
    ] = ""
    soak: Annotated[
        str, Field(max_length=20, title="Soak for", description="Instead of faults: random ones, for 8h.")
    ] = ""
    seed: Annotated[int | None, Field(ge=0, le=2**63, title="Seed", description="Of a soak: repeats it.")] = None
    functions: Annotated[
        str, Field(max_length=2000, title="Functions", description="Probe these only, separated by commas.")
    ] = ""
    busy: Annotated[bool, Field(title="Every core kept busy")] = False
    repeat: Annotated[int, Field(ge=1, le=100, title="Repeat", description="Measure every fault so often.")] = 1
    region: Annotated[str | None, Field(title="Region", description="Where there are several.")] = None
    force: Annotated[bool, Field(title="Force", description="Also on a cloud that is not healthy.")] = False
    confirm: Annotated[
        str, Field(max_length=200, title="Cloud's name", description="Typed, where the hosts are not a lab's.")
    ] = ""


class OfCalm(Arguments):
    lasts: Annotated[str, Field(max_length=20, pattern=r"^\d+(\.\d+)?[smhd]$", title="For", description="30m")] = "30m"
    busy: Annotated[bool, Field(title="Every core kept busy")] = False
    without: Annotated[str, Field(max_length=253, title="Without", description="A lab's host that is off.")] = ""
    region: Annotated[str | None, Field(title="Region", description="Where there are several.")] = None
    force: Annotated[bool, Field(title="Force", description="Also on a cloud that is not healthy.")] = False
    confirm: Annotated[
        str, Field(max_length=200, title="Cloud's name", description="Typed, where the hosts are not a lab's.")
    ] = ""


class OfRotate(Arguments):
    what: Annotated[
        str,
        Field(max_length=500, title="What, or several, or all", description="database messaging certificates fernet …"),
    ] = "all"
    dry_run: Annotated[bool, Field(title="Show the plans only")] = False


class OfUpgrade(Arguments):
    canary: Canary = ""
    onward: Onward = False
    security: Annotated[bool, Field(title="Security", description="Only security updates.")] = False
    reboot: Reboots = False
    abandon: Annotated[
        bool, Field(title="Abandon", description="Forget the upgrade that has begun: hosts keep what they have.")
    ] = False
    dry_run: Annotated[bool, Field(title="Show what would change only")] = False


class OfRelease(Arguments):
    to: Annotated[
        str, Field(min_length=1, max_length=20, title="Release", description="The one that the cloud file names.")
    ]
    canary: Canary = ""
    onward: Onward = False
    reboot: Reboots = False
    dry_run: Annotated[bool, Field(title="Show what would change only")] = False
    confirm: Annotated[
        str, Field(max_length=200, title="Cloud's name", description="Typed: no host that has changed goes back.")
    ] = ""


class OfRecover(Arguments):
    gone: Annotated[
        list[HostName], Field(max_length=20_000, title="Gone", description="Hosts that are lost for good, and off.")
    ] = []
    switched_off: Annotated[
        bool, Field(title="They are off", description="Your word, where nothing here can switch them off.")
    ] = False
    history: Annotated[
        str, Field(max_length=253, title="Right history", description="Whose database is right, where they differ.")
    ] = ""
    dry_run: Annotated[bool, Field(title="Look only")] = False
    confirm: Annotated[
        str, Field(max_length=200, title="Cloud's name", description="Typed: what each way out loses is lost.")
    ] = ""


class OfVersions(Arguments):
    refresh: Annotated[bool, Field(title="Ask the package sources first")] = False
    everything: Annotated[bool, Field(title="Also packages that no service declares, where newer ones exist")] = False


class OfNothing(Arguments):
    pass


class OfWipe(Arguments):
    host: HostName


class OfPower(Arguments):
    host: HostName
    action: Annotated[Literal["on", "off", "reset"], Field(title="Action")]


class OfFence(Arguments):
    host: HostName
    action: Annotated[Literal["status", "on", "off"], Field(title="Action")] = "status"


class OfHost(Arguments):
    host: HostName
    dry_run: DryRun = False


class OfDrain(OfHost):
    reason: Annotated[str, Field(max_length=200, title="Why", description="Shown for as long as it is drained.")] = ""


class OfReboot(Arguments):
    target: Annotated[str, Field(min_length=1, max_length=253, title="Host, zone, or all")]
    reason: Annotated[str, Field(max_length=200, title="Why", description="Shown meanwhile.")] = "reboot"
    dry_run: Annotated[bool, Field(title="Show the order and the first plan only")] = False


class OfNewHost(Arguments):
    host: Annotated[Name, Field(title="Name")]
    zone: Annotated[Name, Field(title="Zone")]
    address: Annotated[str, Field(max_length=15, pattern=r"^\d+\.\d+\.\d+\.\d+$", title="Address")]
    roles: Annotated[list[Name], Field(min_length=1, max_length=20, title="Roles")]
    region: Annotated[str | None, Field(title="Region", description="Where there are several.")] = None
    dry_run: DryRun = False


class OfLeaving(Arguments):
    host: Annotated[
        str, Field(max_length=253, title="Host", description="Empty: the one that the cloud file no longer has.")
    ] = ""
    lost: Annotated[bool, Field(title="Lost: it will never answer again", description="The others take it out.")] = (
        False
    )
    accept_even: Annotated[bool, Field(title="Groups may become even, or smaller than three")] = False
    dry_run: Annotated[bool, Field(title="Show the phases only")] = False


class OfReplaced(Arguments):
    host: HostName
    dry_run: Annotated[bool, Field(title="Show the phases only")] = False


class OfBackup(Arguments):
    keep: Annotated[
        int | None, Field(ge=1, le=10_000, title="Keep", description="Remove older ones beyond so many verified ones.")
    ] = None


class OfVerified(Arguments):
    backup: BackupName


class OfRestored(Arguments):
    backup: BackupName
    no_copy: Annotated[bool, Field(title="Do not back up what is there now: it is lost")] = False
    dry_run: Annotated[bool, Field(title="Show what would be done only")] = False
    confirm: Annotated[
        str, Field(max_length=200, title="Cloud's name", description="Typed: what was written since is lost.")
    ] = ""

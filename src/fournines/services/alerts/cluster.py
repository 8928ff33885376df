"""Alerts of Pacemaker's cluster, where the cloud has one."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Lun
from fournines.services.alerts.alert import Alert, Scope, wait
from fournines.timing import timers


def cluster(s: Scope) -> Iterator[Alert]:
    names = s.hosts("pacemaker")
    if not names:
        return
    t = timers(s.cloud)
    yield Alert(
        name="ClusterWithoutQuorum",
        expr=f"(max({s('fournines_pacemaker_quorate')}) or vector(0)) == 0",
        wait=wait(t.corosync_token + t.corosync_consensus),
        severity="critical",
        summary="no member of the Pacemaker cluster has quorum",
        means="Pacemaker stops the resources of members without quorum: the VIPs are gone.",
        run="fournines status CLOUD; on a member: corosync-quorumtool -s; crm_mon -1",
        samples=tuple(s.on("fournines_pacemaker_quorate", n, 1, 0) for n in names),
    )
    yield Alert(
        name="ClusterMemberUnclean",
        expr=f"max by (on) ({s('fournines_pacemaker_unclean')}) == 1",
        wait=wait(t.fence_timeout),
        severity="critical",
        summary="{{ $labels.on }} was lost and has not been fenced",
        means=f"Fencing has not succeeded within {t.fence_timeout:g} s. Until it has, the resources of that host start "
        "nowhere else.",
        run="fournines status CLOUD; if the host is surely off: stonith_admin --confirm=HOST on a member",
        samples=tuple(s.on("fournines_pacemaker_unclean", n, 0, 1, f'on="{names[-1]}"') for n in names),
    )
    yield Alert(
        name="ClusterResourceFailed",
        expr=f"max({s('fournines_pacemaker_failures')}) > 0",
        wait=120,
        severity="warning",
        summary="Pacemaker remembers {{ $value }} failed operations of resources",
        means="A start, stop or monitor of a resource failed; Pacemaker may keep the resource off that host.",
        run="fournines status CLOUD; on a member: crm_mon -1 --failcounts; crm_resource --cleanup",
        samples=(s.on("fournines_pacemaker_failures", names[0], 0, 1),),
    )
    yield Alert(
        name="FencingDisabled",
        expr=f"min({s('fournines_pacemaker_fencing')}) == 0",
        wait=60,
        severity="critical",
        summary="fencing is off in the Pacemaker cluster",
        means="A member that is lost is taken for dead without proof: two hosts may have the same VIP.",
        run="on a member: pcs property set stonith-enabled=true; fournines apply CLOUD",
        samples=(s.on("fournines_pacemaker_fencing", names[0], 1, 0),),
    )
    yield Alert(
        name="ClusterResourceStopped",
        expr=f"max by (resource) ({s('fournines_pacemaker_active')}) == 0",
        wait=wait(t.corosync_token + t.corosync_consensus + t.fence_timeout),
        severity="critical",
        summary="{{ $labels.resource }} runs on no member of the Pacemaker cluster",
        means="Every host that may run it is away, or has failed to; or the host that had it cannot be fenced.",
        run="fournines status CLOUD; on a member: crm_resource --why -r RESOURCE; crm_mon -1 --failcounts",
        samples=tuple(s.on("fournines_pacemaker_active", n, 1, 0, 'resource="fournines-vip-internal"') for n in names),
    )
    for lun in (lun for lun in s.region.luns.values() if lun.hosts):
        yield from _lun(s, lun)


def _lun(s: Scope, lun: Lun) -> Iterator[Alert]:
    """Of a disk that several hosts see."""
    t, of = timers(s.cloud), f'lun="{lun.name}"'
    mounted = s("fournines_lun_mounted", of)
    yield Alert(
        name="LunMountedTwice",
        expr=f"sum by (lun) ({mounted}) > 1",
        wait=0,
        severity="critical",
        summary="LUN {{ $labels.lun }} is mounted on {{ $value }} hosts",
        means="Each of them writes over what the other has written: the file system is being destroyed.",
        run="fournines status CLOUD; fournines fence CLOUD HOST off (of the one that Pacemaker does not run it on)",
        samples=tuple(s.on("fournines_lun_mounted", n, int(n == lun.hosts[0]), 1, of) for n in lun.hosts),
    )
    yield Alert(
        name="LunMountedNowhere",
        expr=f"sum by (lun) ({mounted}) == 0",
        wait=wait(t.corosync_token + t.corosync_consensus + t.fence_timeout),
        severity="critical",
        summary="LUN {{ $labels.lun }} is mounted nowhere",
        means="What is on it does not run: the database, and with it every API.",
        run="fournines status CLOUD; on a member: crm_mon -1 --failcounts; crm_resource --why -r fournines-database",
        samples=tuple(s.on("fournines_lun_mounted", n, int(n == lun.hosts[0]), 0, of) for n in lun.hosts),
    )

"""Alerts of the VIPs, and of the guards whose votes decide who holds them."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.services.alerts.alert import Alert, Scope, majority, wait
from fournines.services.capabilities import FailsOver, guards, present, voters
from fournines.timing import timers


def vips(s: Scope) -> Iterator[Alert]:
    names = s.hosts("haproxy")
    if names:
        yield from _holders(s, names)
    yield from _guards(s)
    yield from _voters(s)


def _holders(s: Scope, names: list[str]) -> Iterator[Alert]:
    addresses = sorted({str(s.region.vips.internal), str(s.region.vips.public)})
    moves = [x for x in present(s.cloud, s.region.name) if x.name in ("keepalived", "corosync")]
    takes = max([x.failover(s.cloud) for x in moves if isinstance(x, FailsOver)], default=0.0)
    held = s("fournines_vip_held")
    yield Alert(
        name="NoVipHolder",
        expr=f"(count(count by (vip) ({held})) or vector(0)) < {len(addresses)}",
        wait=wait(takes),
        severity="critical",
        summary=f"{{{{ $value }}}} of {len(addresses)} VIPs are held",
        means=f"By this cloud's timers another host takes a VIP over within {takes:.2g} s, and none has: no host has "
        "the votes of a majority, or none has a load balancer that works. Clients reach nothing.",
        run="fournines status CLOUD; on the endpoint hosts: journalctl -u fournines-guard -n 50",
        samples=tuple(s.on("fournines_vip_held", names[0], 1, None, f'vip="{vip}"') for vip in addresses),
    )
    if len(names) > 1:
        vip = f'vip="{addresses[0]}"'
        yield Alert(
            name="TwoVipHolders",
            expr=f"count by (vip) ({held}) > 1",
            wait=wait(takes),
            severity="critical",
            summary="{{ $value }} hosts hold {{ $labels.vip }}",
            means="Clients reach now one of them, now the other. On the host that has lost the votes the kernel "
            "refuses the VIP's traffic, but its address should be gone, too.",
            run="fournines status CLOUD; on the host without the votes: systemctl stop keepalived",
            samples=(
                s.on("fournines_vip_held", names[0], 1, 1, vip),
                s.on("fournines_vip_held", names[1], None, 1, vip),
            ),
        )


def _guards(s: Scope) -> Iterator[Alert]:
    guarded = guards(s.cloud, s.region.name)
    if not guarded:
        return
    first, t = guarded[0].name, timers(s.cloud)
    yield Alert(
        name="GuardSilent",
        expr=f"{s('fournines_guard_answered_seconds')} > 5",
        wait=30,
        severity="critical",
        summary="the guard of {{ $labels.host }} has been silent for {{ $value | humanize }} s",
        means="This host does not vote, and where it held the VIP it has lost it.",
        run="on the host: systemctl status fournines-guard; journalctl -u fournines-guard -n 50",
        samples=(s.on("fournines_guard_answered_seconds", first, 0.1, 60),),
    )
    if t.vip_lease:
        yield Alert(
            name="SchedulingDelays",
            expr=f"avg_over_time({s('fournines_guard_delay_seconds')}[15m]) > {t.vip_lease:g}",
            wait=900,
            severity="warning",
            summary="processes of {{ $labels.host }} wait {{ $value | humanizeDuration }} for a processor",
            means=f"That is longer than the VIP's lease ({t.vip_lease:g} s): it loses the VIP with nothing broken.",
            run="fournines design capacity CLOUD; on the host: systemd-cgtop; vmstat 1 5 (st: taken by the hypervisor)",
            samples=(s.on("fournines_guard_delay_seconds", first, 0.01, 10 * t.vip_lease),),
        )


def _voters(s: Scope) -> Iterator[Alert]:
    names = [h.name for h in voters(s.cloud, s.region.name)]
    need = majority(len(names))
    if len(names) <= need:
        return
    among = f'host=~"{"|".join(names)}"'
    away = names[: len(names) - need]
    yield Alert(
        name="NoVoterToSpare",
        expr=f"(sum({s('up', among, job='agent')}) or vector(0)) <= {need}",
        wait=60,
        severity="warning",
        summary=f"{{{{ $value }}}} of {len(names)} voters are left, and {need} are a majority",
        means="When one more is lost there is no majority, and no host may hold the VIP.",
        run="fournines status CLOUD; bring the missing hosts back",
        samples=tuple(s.up("agent", n, 0 if n in away else 1) for n in names),
    )

"""What is wrong with a region, and what to do about each. Pure: one rule a function, one problem a fact."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from statistics import median

from fournines.health import pacemaker
from fournines.health.cluster import Problem, RegionState
from fournines.health.openstack import openstack
from fournines.services import haproxy, tls
from fournines.timing.timers import Timers

#: Seconds after which what an agent wrote is no longer what is true: it writes each second.
STALE = 10.0
#: Seconds without an answer after which MariaDB is called silent; a hung one is restarted soon after (agent/hung.py).
SILENT = 3.0
#: Seconds after which a guard that tells its observer nothing counts as silent: it does twenty times a second.
GUARD_SILENT = 3.0
#: Share of `vip_lease` that the worst scheduling delay may take: the rest carries a lost packet and the others' delay.
MARGIN_OF_LEASE = 0.5
#: Seconds between clocks at which what hosts say of one another still fits: a report counts for 20 s.
CLOCK_OFF = 1.0
DAY = 86_400.0
#: States of a unit that is well, by systemd's word.
RUNS = ("active", "reloading")
CERTIFICATE_DAYS = 30
#: Transactions between the most and the least advanced node that polling at different moments does not explain.
SEQNO_SPREAD = 1000
#: Seconds that a replica may be behind the primary.
LAG = 30.0
#: Only a person may decide it (docs/decisions, cold start).
_START_WITHOUT = (
    "start what it waits for; if that is lost for good, and off: fournines recover CLOUD --gone HOST[,HOST]"
)
#: Of what the cluster runs on one host at a time.
_NOWHERE = "crm_resource --why -r fournines-{}"
#: Of a daemon that does not start.
_DATA_LOST = "if what it has on disk is to blame: fournines recover CLOUD"


def problems(region: RegionState) -> list[Problem]:
    """Of several hosts with the same problem one, that names them all."""
    rules = (
        _hosts,
        _agents,
        _vip,
        _galera,
        _writer,
        _replicas,
        _rabbitmq,
        _probes,
        _balancers,
        _units,
        _expiry,
        _clocks,
        _openstack,
        _pacemaker,
        _luns,
    )
    found: dict[tuple[str, str], Problem] = {}
    for rule in rules:
        for problem in rule(region):
            same = (problem.what, problem.next)
            found[same] = _both(found[same], problem) if same in found else problem
    return list(found.values())


def _both(one: Problem, other: Problem) -> Problem:
    return replace(one, where=f"{one.where}, {other.where}", hosts=tuple(dict.fromkeys((*one.hosts, *other.hosts))))


def warnings(region: RegionState, t: Timers) -> Iterator[Problem]:
    """What is not wrong yet: nothing is unhealthy, and the next fault would cost more than the timers promise."""
    for name, entry in region.maintenance.items():
        if entry.drained:
            what = f"drained since {entry.since}: {entry.reason}"
            yield _problem(region, what, name, f"fournines undrain CLOUD {name}, when the work is done")
    for name, copy in region.replicas.items():
        if copy.aside:
            what = (
                f"has old data of the database aside, in {', '.join(copy.aside)}: it had rows that the primary lacked"
            )
            yield _problem(region, what, name, "look whether you want any of it, then remove it")
    lease = t.vip_lease if t.vip_quorum else 0.0
    for name, state in region.states.items():
        delay = state.guard.delay if state.guard else 0.0
        if lease and delay > MARGIN_OF_LEASE * lease:
            yield _problem(
                region,
                f"its guard ran up to {delay:.2f} s late in the last two minutes; "
                f"a vote for the VIP stands for {lease:g} s",
                name,
                f"free CPU there, or give the cloud more patience: timing: {{detect: {max(2, round(delay / 0.15))}s}}",
            )


def _problem(region: RegionState, what: str, where: str, next: str, hosts: Collection[str] | None = None) -> Problem:
    """hosts: those that are not well by it, when these are not those that say it."""
    own = [name for name in where.split(", ") if name]
    return Problem(what, where, next, region.region.name, tuple(own if hosts is None else hosts))


def _whose(missed: Mapping[str, Collection[str]], by: str, peer: str) -> tuple[str, ...]:
    """Whose fault it is that `by` misses `peer`. missed: host -> the peers that it does not hear. Of two that miss each
    other it is the one that more links are broken to, of equals both."""
    if by not in missed.get(peer, ()):
        return (peer,)

    def broken(host: str) -> int:
        return len({*missed[host], *(name for name, peers in missed.items() if host in peers)})

    least, most = sorted((by, peer), key=broken)
    return (most,) if broken(most) > broken(least) else (by, peer)


def _hosts(r: RegionState) -> Iterator[Problem]:
    for host in r.unknown:
        yield _problem(r, f"{host.what}: {host.why}" if host.why else host.what, host.host, host.next)


def _agents(r: RegionState) -> Iterator[Problem]:
    missed = {name: [p for p in state.silent_peers if p in r.states] for name, state in r.states.items()}
    for name, state in r.states.items():
        if state.age > STALE:
            what = f"the observer has said nothing for {state.age:.0f} s; what follows of this host is that old"
            yield _problem(r, what, name, "journalctl -u fournines-observer -n 50")
        if state.guard and (state.guard.answered is None or state.guard.answered > GUARD_SILENT):
            what = "its guard is silent: it neither votes nor can it serve the VIP"
            yield _problem(r, what, name, "journalctl -u fournines-guard -n 50")
        if silent := missed[name]:
            what = f"exchanges no heartbeats with {', '.join(silent)}"
            fix = "let UDP port 9201 through between these hosts; see `ip route` and `nft list`"
            at_fault = dict.fromkeys(host for peer in silent for host in _whose(missed, name, peer))
            yield _problem(r, what, name, fix, list(at_fault))


def _vip(r: RegionState) -> Iterator[Problem]:
    able = {name: s.vip for name, s in r.states.items() if s.vip}
    if not able:
        return
    for name in r.vip_holders:
        if not able[name].granted:
            why = able[name].why or "its kernel drops what is sent to them"
            what = f"has the VIPs and no majority votes for it: {why}"
            yield _problem(r, what, name, "journalctl -u fournines-guard -n 50")
    if not r.vip_holders:
        reasons = "; ".join(f"{name}: {v.why}" for name, v in able.items() if not v.may_hold)
        fix = "crm_mon --one-shot says why" if r.pacemaker else "journalctl -u keepalived -n 50"
        yield _problem(r, f"nobody holds the VIPs{reasons and f' ({reasons})'}", "", fix)
    if len(r.vip_holders) > 1:
        what = f"{' and '.join(r.vip_holders)} hold the VIPs at once"
        fix = "fence one of them" if r.pacemaker else "let VRRP (IP protocol 112) through between these hosts"
        yield _problem(r, what, "", fix, r.vip_holders)
    wanted = {str(r.region.vips.internal), str(r.region.vips.public)}
    for name in r.vip_holders:
        if missing := wanted - set(able[name].held):
            what = f"holds one VIP and not {', '.join(sorted(missing))}"
            fix = "crm_resource --refresh" if r.pacemaker else "systemctl restart keepalived"
            yield _problem(r, what, name, fix)
    for name, vip in able.items():
        if not vip.may_hold:
            yield _problem(r, f"must not hold the VIPs: {vip.why}", name, "fix what it says; it returns by itself")


def _galera(r: RegionState) -> Iterator[Problem]:
    for name, node in r.galera.items():
        if node.good:
            missing = [m for m in r.galera if m not in node.members]
            if missing:
                what = f"its Galera view lacks {', '.join(missing)}"
                yield _problem(r, what, name, "see these hosts' own entries", missing)
            continue
        lost = not any(g.primary for g in r.galera.values())
        choice = f"; {node.choice}" if lost else ""
        if node.answered is None:
            fix = _START_WITHOUT if lost and node.missing else f"journalctl -u mariadb -n 50; {_DATA_LOST}"
            yield _problem(r, f"MariaDB does not run{choice}", name, fix)
        elif node.answered > SILENT:
            what = f"MariaDB has not answered for {node.answered:.0f} s"
            yield _problem(
                r, what, name, "if hung, it is restarted by itself; if overloaded, see what takes its CPU and disk"
            )
        else:
            what = f"its node is {'Primary' if node.primary else 'not Primary'}, {node.state}{choice}"
            yield _problem(r, what, name, _START_WITHOUT if lost and node.missing else "it returns by itself")
    clusters = {g.cluster for g in r.galera.values() if g.cluster}
    if len(clusters) > 1:
        what = f"Galera nodes hold {len(clusters)} different histories: {', '.join(sorted(clusters))}"
        yield _problem(r, what, "", "fournines recover CLOUD shows both; --history HOST decides which is right")
    positions = [g.seqno for g in r.galera.values() if g.good]
    if positions and max(positions) - min(positions) > SEQNO_SPREAD:
        behind = min((n for n, g in r.galera.items() if g.good), key=lambda n: r.galera[n].seqno)
        what = f"is {max(positions) - min(positions)} transactions behind"
        yield _problem(r, what, behind, "it catches up by itself; if not, see its disk and CPU")


def _writer(r: RegionState) -> Iterator[Problem]:
    if not r.galera:
        return
    if len(r.writers) > 1:
        what = f"{' and '.join(r.writers)} take writes at once"
        fix = "journalctl -u fournines-guard on both; one yields within a second"
        yield _problem(r, what, "", fix, r.writers)
    elif not r.writers and any(g.good for g in r.galera.values()):
        yield _problem(r, "no node takes writes", "", "journalctl -u fournines-observer says why on each")


def _replicas(r: RegionState) -> Iterator[Problem]:
    """Of a database that the cluster promotes."""
    if not r.replicas:
        return
    if len(r.writers) > 1:
        what = f"{' and '.join(r.writers)} take writes at once"
        yield _problem(r, what, "", "fournines fence CLOUD HOST off, of the one that Pacemaker has not promoted")
    elif not r.writers:
        reasons = "; ".join(f"{name}: {copy.why or copy.error or copy.state}" for name, copy in r.replicas.items())
        fix = "start what it waits for; if that is lost for good: replica accept-loss on a host (docs/patterns.md)"
        yield _problem(r, f"no copy of the database is the primary ({reasons})", "", fix)
    for name, copy in r.replicas.items():
        if not copy.ok:
            yield _problem(r, f"its copy of the database: {copy.error}", name, "crm_mon --one-shot says why")
        elif copy.state == "building":
            what = "its database is made a copy of the primary's: until then it cannot take over"
            yield _problem(r, what, name, "journalctl -u fournines-database-build -n 50")
        elif copy.state == "primary" and not copy.complete:
            what = "no replica is known to have every acknowledged row: none is promoted by itself"
            yield _problem(r, what, name, "see the replicas' own entries; it goes by itself once one has caught up")
        elif copy.state != "primary" and r.writers and not copy.follows:
            said = copy.problem or f"receives: {copy.receives or 'No'}, applies: {copy.applies or 'No'}"
            fix = "mariadb -e 'show slave status\\G'; PYTHONPATH=/usr/lib/fournines python3 -m replica rebuild"
            yield _problem(r, f"its copy of the database does not follow the primary: {said}", name, fix)
        elif (copy.lag or 0.0) > LAG:
            what = f"its copy of the database is {copy.lag:.0f} s behind the primary"
            yield _problem(r, what, name, "it catches up by itself; if not, see its disk and CPU")


def _rabbitmq(r: RegionState) -> Iterator[Problem]:
    missed = {name: [_host(node) for node in broker.stopped] for name, broker in r.rabbitmq.items()}
    for name, broker in r.rabbitmq.items():
        if not broker.ok:
            fix = f"journalctl -u rabbitmq-server -n 50; {_DATA_LOST}"
            yield _problem(r, f"RabbitMQ does not answer: {broker.error}", name, fix)
        for node in broker.stopped:
            what = f"its RabbitMQ does not see {node}"
            yield _problem(r, what, name, "rabbitmqctl cluster_status", _whose(missed, name, _host(node)))
    for alarm in sorted({a for broker in r.rabbitmq.values() if broker.ok for a in broker.alarms}):
        yield _problem(r, f"RabbitMQ blocks all publishers: {alarm}", "", "free memory or disk there")
    dead = [q for q in r.queues if not q.quorum]
    thin = [q for q in r.queues if q.quorum and (q.missing or len(q.members) < len(r.rabbitmq))]
    lost, grow = "if all brokers run: fournines recover CLOUD", "else rabbitmq-queues grow NODE all"
    for queues, what, fix in ((dead, "without a quorum", lost), (thin, "with missing members", grow)):
        if queues:
            some = ", ".join(f"{q.vhost}/{q.name}" for q in queues[:3])
            more = " …" if len(queues) > 3 else ""
            text = f"{len(queues)} of {len(r.queues)} queues {what}: {some}{more}"
            yield _problem(r, text, "", f"members return with their hosts; {fix}")


def _host(node: str) -> str:
    """Of a broker's name."""
    return node.rpartition("@")[2]


def _probes(r: RegionState) -> Iterator[Problem]:
    for name, state in r.states.items():
        for service, probe in (("memcached", state.memcached), ("keystone", state.keystone)):
            if probe and not probe.ok:
                yield _problem(r, f"{service} does not answer: {probe.error}", name, f"journalctl -u {service} -n 50")
        if state.vip and not state.vip.balancer:
            yield _problem(r, "HAProxy does not answer", name, "journalctl -u haproxy -n 50")


def _balancers(r: RegionState) -> Iterator[Problem]:
    for (proxy, server), seen in r.balancers().items():
        up = {host for host, status in seen.items() if status.startswith("UP")}
        # "UP 1/2": a check has failed, as of a backend that a reload took for UP, and the next one decides.
        settled = {host for host, status in seen.items() if "/" not in status}
        if up & settled and settled - up:
            views = ", ".join(f"{host}: {status}" for host, status in seen.items())
            next = "the network between the odd one and the backend"
            yield _problem(r, f"load balancers disagree on {proxy} of {server} ({views})", "", next)
        # Of the database only the writer is up, so that nobody else takes writes; of what is passive one host.
        elif not up and proxy != "mariadb" and proxy not in r.passive:
            yield _problem(
                r, f"every load balancer has {proxy} of {server} out", server, f"journalctl -u {proxy} -n 50"
            )
    for proxy in {p for p, _ in r.balancers()}:
        up = r.backends_up(proxy)
        if not up:
            fix = _NOWHERE.format(proxy) if proxy in r.passive else "see the entries above"
            yield _problem(r, f"no load balancer has a backend for {proxy}", "", fix)
        elif len(up) > 1 and proxy in r.passive:
            what = f"{proxy} runs on {' and '.join(up)}, and is to run on one host"
            fix = f"systemctl stop {proxy}, where `crm_resource --resource fournines-{proxy} --locate` does not have it"
            yield _problem(r, what, "", fix)


def _units(r: RegionState) -> Iterator[Problem]:
    for name, state in r.states.items():
        for unit, active in state.units.items():
            if active not in RUNS:
                yield _problem(r, f"{unit} is {active}", name, f"journalctl -u {unit} -n 50")


def _expiry(r: RegionState) -> Iterator[Problem]:
    now = time.time()
    for name, state in r.states.items():
        for path in state.absent:
            yield _problem(r, f"{path} is not there", name, "fournines apply")
        for path, ends in state.certificates.items():
            if ends is None:
                yield _problem(r, f"{path} cannot be read as a certificate", name, "fournines apply")
            elif ends - now < CERTIFICATE_DAYS * DAY:
                days = (ends - now) / DAY
                what = f"{path} ends in {days:.0f} days" if days > 0 else f"{path} ended {-days:.0f} days ago"
                yield _problem(r, what, name, _renewal(path))


def _renewal(path: str) -> str:
    if path == haproxy.CERTIFICATE:
        return "fournines rotate CLOUD certificates; with tls.certificate in the cloud file: a new one there, apply"
    authority = path == tls.CA or path.endswith("/members.pem")
    return f"fournines rotate CLOUD {'ca' if authority else 'certificates'}"


def _clocks(r: RegionState) -> Iterator[Problem]:
    """Against the middle one of all: whether the machine that asks is right does not matter."""
    read = {name: s.clock for name, s in r.states.items() if s.clock}
    if len(read) < 2:
        return
    middle = median(offset for offset, _ in read.values())
    for name, (offset, either_way) in read.items():
        off = offset - middle
        if abs(off) - either_way > CLOCK_OFF:
            what = f"its clock is {abs(off):.1f} s {'ahead of' if off > 0 else 'behind'} the others"
            yield _problem(r, what, name, "chronyc sources; chronyc makestep")


def _openstack(r: RegionState) -> Iterator[Problem]:
    for what, where, fix in openstack(r):
        yield _problem(r, what, where, fix)


def _pacemaker(r: RegionState) -> Iterator[Problem]:
    for what, where, fix in pacemaker.problems("CLOUD", r.pacemaker):
        yield _problem(r, what, where, fix)


def _luns(r: RegionState) -> Iterator[Problem]:
    for name, hosts in r.luns.items():
        if len(hosts) > 1:
            what = f"LUN {name} is mounted on {' and '.join(hosts)} at once: each destroys what the other writes"
            fix = (
                "fournines fence CLOUD HOST off, of the one that Pacemaker does not run it on; then e2fsck, or a backup"
            )
            yield _problem(r, what, "", fix, hosts)
        for host in hosts:
            if r.states[host].luns[name].read_only:
                what = f"LUN {name} is mounted read-only: the kernel found an error on it"
                fix = f"dmesg says which; crm_resource --move fournines-{name}, once the disk is well, with e2fsck"
                yield _problem(r, what, host, fix)
        if not hosts:
            yield _problem(
                r, f"LUN {name} is mounted nowhere: what is on it does not run", "", "crm_mon --one-shot says why"
            )

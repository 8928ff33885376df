"""`fournines check`: every rule over one cloud, and the refusal that `plan` and `apply` share with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path as FilePath

from fournines import services
from fournines.cloud import inspect, versions
from fournines.cloud.model import Cloud
from fournines.cloud.names import suggest
from fournines.cloud.source import dotted
from fournines.design import (
    addresses,
    certificates,
    encryption,
    fencing,
    firewall,
    luns,
    options,
    passive,
    placement,
    quorum,
    release,
    repeats,
    targets,
    timers,
    undone,
)
from fournines.design.finding import Finding, Flaw, Rule
from fournines.errors import CloudFileError, Problem
from fournines.timing.resolve import resolve

#: What a wrong file is reported as; not a rule, for it has no cloud to look at.
FILE = "file"


def _unknown_rule(cloud: Cloud) -> Iterator[Flaw]:
    acceptable = [r.id for r in DESIGN_RULES if r.acceptable]
    for name in cloud.accept:
        if name not in acceptable:
            known = any(name == r.id for r in RULES)
            what = f"{name} cannot be accepted" if known else f"there is no rule {name}"
            why = "a cloud with such an error does not work" if known else "nothing would be accepted by it"
            yield Flaw(("accept", name), "error", what, why, suggest(name, acceptable), key=True)


#: They look at what the file says, not at what it amounts to: they hold for a file that is wrong elsewhere too.
FILE_RULES = (
    Rule("unknown-option", "options that the service does not know", options.unknown_option, acceptable=False),
    Rule("option-value", "values that an option does not take", options.option_value, acceptable=False),
    Rule("timers", "timers that contradict one another", timers.contradiction, acceptable=False),
    Rule("release-step", "releases that the cloud cannot go to", release.step, acceptable=False),
    Rule("unknown-function", "targets of functions that nothing provides", targets.unknown_function, acceptable=False),
    Rule("unknown-rule", "`accept:` of what is no rule, or cannot be accepted", _unknown_rule, acceptable=False),
)
DESIGN_RULES = (
    Rule("untried-release", "releases of which nobody has seen the whole way there", release.untried),
    Rule("undone-pattern", "options that the cloud does not work with", undone.broken, acceptable=False),
    Rule("weakened-pattern", "options that take away what the design rests on", undone.weakened),
    Rule("missing-service", "services that no host of a region carries", placement.missing_service, acceptable=False),
    Rule("image-store", "image stores that not every Glance host can reach", placement.images, acceptable=False),
    Rule("volume-backend", "back ends of Cinder without a section or a driver", placement.volumes, acceptable=False),
    Rule("local-volumes", "back ends that keep volumes on one host", placement.local_volumes),
    Rule("unused-options", "options of services that no host carries", options.unused_options),
    Rule("certificate", "certificates of your own that clients would refuse", certificates.unusable, acceptable=False),
    Rule("repeated-requests", "services that repeat what is not repeatable", repeats.repeated_requests),
    Rule("unused-role", "roles of your own that no host has", placement.unused_role),
    Rule("single-copy", "services on one host alone", quorum.single_copy),
    Rule("quorum-size", "quorums of two, or of an even number", quorum.size),
    Rule("shared-zone", "a quorum's majority, or all copies of a service, in one zone", quorum.shared_zone),
    Rule("shared-power", "the same on one power feed", quorum.shared_power),
    Rule("shared-switch", "the same behind one switch", quorum.shared_switch),
    Rule("vip-outside", "VIPs that are not in their network", addresses.vip_outside, acceptable=False),
    Rule("vip-taken", "VIPs that a host or another VIP has", addresses.vip_taken, acceptable=False),
    Rule("vip-unreachable", "hosts that may hold the VIPs without being on network public", addresses.vip_unreachable),
    Rule("duplicate-address", "addresses that two hosts have", addresses.duplicate_address, acceptable=False),
    Rule(
        "partly-attached",
        "networks that some of the hosts of a service that uses them are not on",
        addresses.partly_attached,
    ),
    Rule("network-overlap", "networks of a region that overlap", addresses.network_overlap, acceptable=False),
    Rule("not-encrypted", "services inside that take connections without TLS", encryption.not_required),
    Rule("firewall-rules", "rules of the hosts' firewalls that nft would refuse", firewall.options, acceptable=False),
    Rule("no-firewall", "hosts without a firewall", firewall.none),
    Rule("cluster", "a cluster that is missing, or that manages nothing", fencing.unclear, acceptable=False),
    Rule("cluster-of-one", "clusters with one member", fencing.alone, acceptable=False),
    Rule("outside-cluster", "copies of the database on hosts outside the cluster", fencing.outside, acceptable=False),
    Rule("witness", "witnesses that a cluster cannot ask", fencing.witnesses, acceptable=False),
    Rule(
        "passive",
        "services that cannot run on one host at a time, or that nobody would move",
        passive.wrong,
        acceptable=False,
    ),
    Rule("lun", "disks that not every host of a service sees, or that others see", luns.wrong, acceptable=False),
    Rule("lun-device", "disks under names that a boot may change", luns.unstable),
    Rule("moving-address", "a database or a broker that moves, without an address", addresses.moving, acceptable=False),
    Rule("no-fencing", "members of a cluster without a power controller", fencing.missing, acceptable=False),
    Rule("bmc-confused", "power controllers that would switch another host", fencing.confused, acceptable=False),
    Rule("bmc-network", "power controllers on the network whose loss they have to end", fencing.same_network),
    Rule("bmc-unverified", "power controllers whose certificates are not checked", fencing.unverified),
    Rule("vrid-clash", "regions with one VRID on a common network", addresses.vrid_clash, acceptable=False),
)
RULES = (*FILE_RULES, *DESIGN_RULES)


def check_file(path: str | FilePath) -> tuple[Cloud | None, tuple[Finding, ...]]:
    """The cloud of the file at `path` (None when it holds none), and everything that is wrong with either.

    While the file itself has errors, what its design amounts to is not judged. Raises CloudFileError: unreadable.
    """
    cloud, problems = inspect(path, services.catalogue())
    wrong = tuple(_from_problem(p) for p in problems)
    if cloud is None:
        return None, wrong
    cloud = replace(cloud, versions=versions.load(versions.beside(cloud.source, cloud.name)))
    wrong += tuple(_from_problem(p) for p in resolve(cloud)[1])
    return cloud, _sorted([*wrong, *_findings(cloud, FILE_RULES if wrong else RULES)])


def findings(cloud: Cloud) -> tuple[Finding, ...]:
    """What the rules find, errors first, then in file order."""
    return _sorted(_findings(cloud, RULES))


def require_valid(cloud: Cloud) -> None:
    """Raises CloudFileError with every error that `check` reports: nothing is planned for a cloud that has one."""
    resolution = resolve(cloud)[1]
    wrong = resolution + tuple(f.problem for f in findings(cloud) if f.severity == "error")
    if wrong:
        file = cloud.places.file or cloud.name
        count = f"{len(wrong)} errors" if len(wrong) > 1 else "1 error"
        raise CloudFileError(f"{file} describes what cannot work: {count}", wrong, next=f"fournines check {file}")


def _findings(cloud: Cloud, rules: Iterable[Rule]) -> Iterator[Finding]:
    for rule in rules:
        reason = cloud.accept.get(rule.id, "") if rule.acceptable else ""
        for flaw in rule.flaws(cloud):
            place = cloud.places.find(flaw.path, key=flaw.key)
            yield Finding(
                rule.id,
                "warning" if reason else flaw.severity,
                cloud.places.file,
                place.line,
                place.column,
                dotted(flaw.path),
                flaw.what,
                flaw.why,
                flaw.change,
                reason,
            )


def _from_problem(problem: Problem) -> Finding:
    p = problem
    return Finding(FILE, "error", p.file, p.line, p.column, p.path, p.message, "", p.next)


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda f: (f.severity, f.line, f.column)))

"""What the architecture document says, section by section."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence

from fournines.cloud.model import Cloud, Region
from fournines.cloud.source import dotted
from fournines.design import why
from fournines.design.availability import Availability
from fournines.design.capacity import capacity, figure
from fournines.design.condition import Condition
from fournines.design.derive import conditions
from fournines.design.document import flow, logical, physical, ports
from fournines.design.document.parts import Document, Drawing, Items, Paragraph, Part, Section, Table, Tree
from fournines.design.finding import listed
from fournines.design.overview import Overview, overview
from fournines.design.reliability import MINUTES_A_YEAR, spell
from fournines.design.switches import Observed
from fournines.services.capabilities import failover, present
from fournines.services.service import Service
from fournines.timing import timers

#: Rows of the failure tables; `fournines design --all` has every one.
_ROWS = 15


def compose(cloud: Cloud, observed: Sequence[Observed] = ()) -> Document:
    found, made = conditions(cloud), overview(cloud, observed)
    sections = (
        _summary(cloud, made),
        Section("Physical layout", tuple(_physical(cloud))),
        Section("Logical layout", tuple(_logical(cloud))),
        Section("What a request needs", tuple(_flows(found))),
        Section("Hosts and their roles", (_hosts(cloud),)),
        Section("High availability, service by service", tuple(_services(cloud))),
        Section("Networks", (_networks(cloud),)),
        Section("Firewall", tuple(ports.parts(cloud))),
        Section("Limits", tuple(_limits(cloud))),
        Section("Availability", tuple(_availability(made))),
        Section("Failure analysis", tuple(_failures(made))),
        Section("Decisions", tuple(_decisions(cloud))),
        Section("Assumptions", tuple(_assumptions(made))),
        Section("Appendix: conditions", tuple(_conditions(found))),
    )
    regions = f"{len(cloud.regions)} regions" if len(cloud.regions) > 1 else f"region {next(iter(cloud.regions))}"
    hosts = f"{len(cloud.hosts):,} host{'s' if len(cloud.hosts) > 1 else ''}"
    return Document(f"Architecture of {cloud.name}", f"OpenStack {cloud.release}, {regions}, {hosts}", sections)


def _summary(cloud: Cloud, made: Overview) -> Section:
    parts: list[Part] = [Paragraph(_verdict(made.availability))]
    servers = any(cloud.hosts_of("nova_compute", region) for region in cloud.regions)
    single = [w for w in made.weaknesses if w.order == 1 and w.cut.components[0].kind not in ("region", "network")]
    if single:
        parts.append(Paragraph("Single points of failure:"))
        parts.append(Items(tuple(f"{w.what}. Remedy: {w.removes}." for w in single[:_ROWS])))
    else:
        parts.append(
            Paragraph(
                "No single host, rack, power feed or switch stops any function."
                + (" Servers are not among the functions: each runs on one host, and stops with it." if servers else "")
                + f" What remains single is each region itself and its networks: {listed(cloud.regions)}."
            )
        )
    for name, region, missing in made.never:
        parts.append(Paragraph(f"{name} never works in {region}: no host carries {listed(missing)}."))
    return Section("Summary", tuple(parts))


def _verdict(rows: Sequence[Availability]) -> str:
    if not rows:
        return "No service of this cloud provides a function to users."
    worst = min(rows, key=lambda a: a.availability)
    text = (
        f"Predicted for the worst function, {worst.function} in {worst.region}: {100 * worst.availability:.4f} %, "
        f"{worst.minutes:.1f} minutes a year without it."
    )
    missed = [f"{a.function} in {a.region}" for a in rows if a.met is False]
    if missed:
        return f"{text} The target is missed by {listed(missed)}."
    return text + (" Every target is met." if any(a.met for a in rows) else " The file states no target.")


def _physical(cloud: Cloud) -> Iterator[Part]:
    for region in cloud.regions.values():
        svg = physical.draw(region)
        yield Drawing(f"physical-{region.name}", f"Region {region.name}: racks by power feed", svg)


def _logical(cloud: Cloud) -> Iterator[Part]:
    for region in cloud.regions.values():
        svg = logical.draw(cloud, region)
        yield Drawing(f"logical-{region.name}", f"Region {region.name}: services by tier", svg)


def _flows(found: Iterable[Condition]) -> Iterator[Part]:
    """One drawing for all functions that need the same, of the first region that has them."""
    yield Paragraph(
        "Each box is a service and how many of its copies are enough. Orange: a majority is needed. Green: any copy is "
        "enough. Red: there is only one."
    )
    drawn: dict[tuple[tuple[str, int, int], ...], list[Condition]] = {}
    for c in found:
        drawn.setdefault(tuple((r.name, r.least, r.total) for r in c.requirements), []).append(c)
    for alike in drawn.values():
        first = alike[0]
        if not first.requirements:
            continue
        names = listed(dict.fromkeys(c.name for c in alike))
        where = listed(dict.fromkeys(c.region for c in alike))
        yield Drawing(f"request-{first.region}-{first.name}", f"{names} in {where}", flow.draw(first))


def _hosts(cloud: Cloud) -> Table:
    groups: dict[tuple[str, tuple[str, ...], frozenset[str]], list[str]] = {}
    zones: dict[tuple[str, tuple[str, ...], frozenset[str]], dict[str, None]] = {}
    for host in cloud.hosts:
        key = (host.region, host.roles, host.services)
        groups.setdefault(key, []).append(host.name)
        zones.setdefault(key, {})[host.zone.name] = None
    rows = tuple(
        (region, _names(names), str(len(names)), ", ".join(roles), ", ".join(zones[region, roles, services]),
         ", ".join(sorted(services)))
        for (region, roles, services), names in groups.items()
    )  # fmt: skip
    return Table(("Region", "Hosts", "Count", "Roles", "Zones", "Services"), rows, right=(2,))


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{names[0]} … {names[-1]}"


def _services(cloud: Cloud) -> Iterator[Part]:
    for region in cloud.regions.values():
        if len(cloud.regions) > 1:
            yield Paragraph(f"Region {region.name}:")
        rows = tuple(_service(cloud, region, s) for s in present(cloud, region.name) if s.units)
        yield Table(("Service", "Pattern", "Copies", "Switches in", "Needs", "Why so"), rows, right=(2,))


def _service(cloud: Cloud, region: Region, service: Service) -> tuple[str, ...]:
    copies = str(len(cloud.hosts_of(service.name, region.name)))
    takes = failover(service, cloud)
    seconds = "" if takes is None else f"{takes:.2g} s"
    return service.name, service.pattern_in(cloud).value, copies, seconds, ", ".join(service.needs), _reason(service)


def _reason(service: Service) -> str:
    """The first paragraph of its module: what it is, and why it is made so."""
    text = inspect.getdoc(inspect.getmodule(type(service))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("`", "")


def _networks(cloud: Cloud) -> Table:
    rows: list[tuple[str, ...]] = []
    for region in cloud.regions.values():
        moving = sorted(region.vips.moving.values())
        vips = {"management": (region.vips.internal, *moving), "public": (region.vips.public,)}
        for network in region.networks.values():
            used = sum(network.name in h.devices for h in region.hosts)
            here = vips.get(network.name, ())
            vip = ", ".join(map(str, here))
            free = network.cidr.num_addresses - 2 - used - len(here)
            rows.append(
                (region.name, network.name, str(network.cidr), network.interface, vip, f"{used:,}", f"{max(0, free):,}")
            )
    return Table(("Region", "Network", "CIDR", "Interface", "VIP", "Hosts", "Free"), tuple(rows), right=(5, 6))


def _limits(cloud: Cloud) -> Iterator[Part]:
    for region, now in enumerate(capacity(cloud)):
        first = now.first
        exceeded = first is not None and first.now > first.most
        met = first.reached if first and first.reached is not None and not exceeded else now.hypervisors
        says = (
            f"Region {now.region}: {now.hypervisors:,} hypervisors; controllers taken to have {now.size.cores} cores "
            f"and {now.size.memory:g} GiB."
        )
        if first:
            says += f" {now.verdict[0].upper()}{now.verdict[1:]}."
        yield Paragraph(says)
        yield Table(
            ("Limit", "Now", f"With {met:,}", "At most", "Met at", "Formula", "From", "What then"),
            tuple(
                (
                    x.name, figure(x.now), figure(x.then), figure(x.most),
                    f"{x.reached:,} hypervisors" if x.reached is not None else "now" if x.met else "",
                    x.formula, f"{x.origin}: {x.source}", x.beyond,
                )
                for x in capacity(cloud, met)[region].limits
            ),
            right=(1, 2, 3, 4),
        )  # fmt: skip


def _availability(made: Overview) -> Iterator[Part]:
    rows = tuple(
        (
            a.function, a.region, f"{100 * a.availability:.4f} %", f"{a.minutes:.2f}",
            f"{a.target:g} %" if a.target else "", {True: "met", False: "missed", None: ""}[a.met],
            f"{(1 - a.static) * MINUTES_A_YEAR:.2f}",
            ", ".join(f"{s.service} {s.unavailability * MINUTES_A_YEAR:.2f} ({s.origin})" for s in a.switches),
        )
        for a in made.availability
    )  # fmt: skip
    columns = ("Function", "Region", "Availability", "Minutes a year", "Target", "", "Too few copies", "Switching")
    yield Table(columns, rows, right=(2, 3, 4, 6))
    important = {i.what: i for a in made.availability for i in a.importance if i.minutes >= 0.005}
    if important:
        yield Paragraph("What decides: what one function would gain if none of these ever failed.")
        order = sorted(important.values(), key=lambda i: -i.minutes)
        yield Table(
            ("Component", "Count", "Birnbaum", "Criticality", "Minutes a year"),
            tuple(
                (i.what, str(i.count), f"{i.birnbaum:.3g}", f"{i.criticality:.3g}", f"{i.minutes:.2f}") for i in order
            ),
            right=(1, 2, 3, 4),
        )
    if made.purchases:
        yield Paragraph("What more hosts would buy:")
        yield Table(
            ("More", "Like", "Region", "Function", "Minutes a year, now", "Then"),
            tuple(
                (str(p.hosts), f"{p.like} ({', '.join(p.roles)})", p.region, f, f"{now:.2f}", f"{then:.2f}")
                for p in made.purchases
                for f, now, then in p.minutes[:1]
            ),
            right=(0, 4, 5),
        )


def _failures(made: Overview) -> Iterator[Part]:
    for order, title in ((1, "One loss"), (2, "Two losses together"), (3, "Three losses together")):
        rows = [w for w in made.weaknesses if w.order == order]
        if not rows:
            continue
        more = f" The {_ROWS} most probable of {len(rows)}." if len(rows) > _ROWS else ""
        yield Paragraph(f"{title} that stop a function.{more}")
        yield Table(
            ("Region", "What", "Stops", "Minutes a year", "Removed by"),
            tuple(
                (w.region, w.what, _stops(w.stops, made.functions), _minutes(w.probability), w.removes)
                for w in rows[:_ROWS]
            ),
            right=(3,),
        )
    if made.degraded:
        yield Paragraph("Degraded, and still working:")
        yield Items(tuple(d.what + "." for d in made.degraded[:_ROWS]))


def _stops(names: Sequence[str], every: Sequence[str]) -> str:
    return "every function" if len(names) == len(every) > 1 else ", ".join(names)


def _minutes(probability: float) -> str:
    value = probability * MINUTES_A_YEAR
    return "not known" if value == 0 else f"{value:.2f}" if value >= 0.01 else "< 0.01"


def _decisions(cloud: Cloud) -> Iterator[Part]:
    t = timers(cloud)
    chosen = [(f"pattern.{k}", str(v), "the mechanism of this tier") for k, v in vars(cloud.pattern).items()]
    chosen += [
        ("timing.profile", cloud.timing.profile, "one failure-detection budget, from which every timer is derived"),
        ("vrrp_advert", f"{t.vrrp_advert:g} s", "a VIP moves after three adverts and a skew"),
        ("evs_suspect", f"{t.evs_suspect:g} s", "a silent database node is suspected"),
        ("check_inter", f"{t.check_inter:g} s", "between checks of a backend"),
        ("tcp_user_timeout", f"{t.tcp_user_timeout:g} s", "a connection that acknowledges nothing ends"),
    ]
    chosen += [(f"timing.overrides.{k}", str(v), "the operator's own") for k, v in cloud.timing.overrides.items()]
    for service, config in cloud.services.items():
        for file, sections in config.options.items():
            for section, options in sections.items():
                for option, value in options.items():
                    place = dotted(("services", service, file, *([section] if section else []), option))
                    chosen.append((place, str(value), "the operator's own"))
    yield Table(("Setting", "Value", "What it means"), tuple(chosen))
    if cloud.accept:
        yield Paragraph("Accepted on purpose:")
        yield Table(("Rule", "Reason"), tuple(cloud.accept.items()))


def _assumptions(made: Overview) -> Iterator[Part]:
    yield Paragraph(
        "Components fail and are repaired independently of one another. Counted are losses of hosts, racks, power "
        "feeds, switches and daemons, and what switching from one copy to the next takes; not counted are errors of "
        "people and of software that all copies share, and whatever the file does not describe."
    )
    yield Table(
        ("Component", "Fails after", "Down for", "", "Source"),
        tuple(
            (f.name, spell(f.mttf), spell(f.mttr), "assumed" if f.assumed else "stated", f.source) for f in made.figures
        ),
    )
    yield Paragraph(
        f"{100 * made.coverage:g} % of all switches work by themselves; the others take {spell(made.manual)}, until a "
        "person has come."
    )


def _conditions(found: Iterable[Condition]) -> Iterator[Part]:
    for condition in found:
        yield Tree(tuple(why.tree(condition)))

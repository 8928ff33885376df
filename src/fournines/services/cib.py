"""What Pacemaker manages, as plain data, and the part of a CIB that it amounts to.

Services say what they want managed (`capabilities.ManagedByCluster`); `services.pacemaker` makes one configuration of
it. Every id begins with `PREFIX`: what has another id is the operators' own, and left alone (`programs/cib.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

PREFIX = "fournines-"
#: The set of properties that every tool of Pacemaker's writes to.
PROPERTIES = "cib-bootstrap-options"


@dataclass(frozen=True)
class Operation:
    """`interval` and `timeout` in seconds; `interval` 0 for what is done once. role: of a copy that can be promoted,
    for which it is (`Promoted`, `Unpromoted`); Pacemaker tells two monitors apart by their intervals."""

    name: str
    interval: float = 0.0
    timeout: float = 20.0
    on_fail: str = ""
    role: str = ""


@dataclass(frozen=True)
class Primitive:
    """agent: `ocf:heartbeat:IPaddr2`, `stonith:fence_redfish`, `systemd:haproxy`."""

    name: str
    agent: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    operations: tuple[Operation, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Group:
    """Members run on one host, started in this order."""

    name: str
    members: tuple[Primitive, ...]
    meta: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Clone:
    """A copy on every host of the cluster."""

    name: str
    of: Primitive
    meta: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Order:
    """`then` starts after `first`, and stops before it. promoted: after `first` was promoted, before it is demoted."""

    first: str
    then: str
    promoted: bool = False


@dataclass(frozen=True)
class Beside:
    """`resource` runs where `other` does, and nowhere else. promoted: where it is promoted."""

    resource: str
    other: str
    promoted: bool = False


@dataclass(frozen=True)
class Location:
    """score: `-INFINITY` for never."""

    resource: str
    host: str
    score: str


@dataclass(frozen=True)
class Eligible:
    """`resource` runs on those hosts alone whose node has `attribute`."""

    resource: str
    attribute: str


Managed = Primitive | Group | Clone | Order | Beside | Location | Eligible
#: Those that are constraints.
RULES = (Order, Beside, Location, Eligible)


def configuration(properties: Mapping[str, str], managed: Iterable[Managed]) -> str:
    """A `<configuration>` with these properties, resources and constraints."""
    root = Element("configuration")
    options = SubElement(SubElement(root, "crm_config"), "cluster_property_set", id=PROPERTIES)
    _pairs(options, PROPERTIES, properties)
    resources, constraints = SubElement(root, "resources"), SubElement(root, "constraints")
    for one in managed:
        (constraints if isinstance(one, RULES) else resources).append(element(one))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def element(managed: Managed) -> Element:
    """As Pacemaker's schema has it."""
    match managed:
        case Primitive():
            return _primitive(managed)
        case Group():
            made = Element("group", id=_id(managed.name))
            _attributes(made, "meta_attributes", managed.meta)
            made.extend(_primitive(member) for member in managed.members)
        case Clone():
            made = Element("clone", id=_id(managed.name))
            _attributes(made, "meta_attributes", managed.meta)
            made.append(_primitive(managed.of))
        case Order():
            name = f"{managed.first}-before-{managed.then}"
            made = Element("rsc_order", id=_id(name), first=_id(managed.first), then=_id(managed.then))
            made.set("kind", "Mandatory")
            if managed.promoted:
                made.attrib |= {"first-action": "promote", "then-action": "start"}
        case Beside():
            name = f"{managed.resource}-beside-{managed.other}"
            made = Element("rsc_colocation", {"id": _id(name), "rsc": _id(managed.resource)})
            made.attrib |= {"with-rsc": _id(managed.other), "score": "INFINITY"}
            if managed.promoted:
                made.set("with-rsc-role", "Promoted")
        case Location():
            made = Element("rsc_location", id=_id(f"{managed.resource}-on-{managed.host}"), rsc=_id(managed.resource))
            made.attrib |= {"node": managed.host, "score": managed.score}
        case Eligible():
            name = _id(f"{managed.resource}-where-it-is")
            made = Element("rsc_location", id=name, rsc=_id(managed.resource))
            rule = SubElement(made, "rule", {"id": f"{name}-rule", "score": "-INFINITY"})
            spec = {"id": f"{name}-none", "attribute": managed.attribute, "operation": "not_defined"}
            SubElement(rule, "expression", spec)
    return made


def _id(name: str) -> str:
    return PREFIX + name


def _primitive(wanted: Primitive) -> Element:
    """The schema's order: parameters, meta attributes, operations."""
    kind, *provider, agent = wanted.agent.split(":")
    made = Element("primitive", {"id": _id(wanted.name), "class": kind, "type": agent})
    if provider:
        made.set("provider", provider[0])
    _attributes(made, "instance_attributes", wanted.parameters)
    _attributes(made, "meta_attributes", wanted.meta)
    operations = SubElement(made, "operations") if wanted.operations else made
    for one in wanted.operations:
        name = "-".join(word for word in (_id(wanted.name), one.name, one.role.lower()) if word)
        spec = {"id": name, "name": one.name, "interval": _seconds(one.interval)}
        spec["timeout"] = _seconds(one.timeout)
        if one.on_fail:
            spec["on-fail"] = one.on_fail
        if one.role:
            spec["role"] = one.role
        SubElement(operations, "op", spec)
    return made


def _attributes(parent: Element, kind: str, values: Mapping[str, str]) -> None:
    if values:
        name = f"{parent.get('id')}-{kind}"
        _pairs(SubElement(parent, kind, id=name), name, values)


def _pairs(parent: Element, prefix: str, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        SubElement(parent, "nvpair", id=f"{prefix}-{name}", name=name, value=value)


def _seconds(value: float) -> str:
    """Pacemaker's durations; whole seconds where they are, so that they read as people write them."""
    return f"{value:g}s" if value == int(value) else f"{round(value * 1000)}ms"

"""The smallest change from a running configuration to the one that is wanted. Pure.

Ours are the resources and constraints whose id begins with PREFIX, and the properties that the wanted one names; all
else is the operators' own and left alone. Pacemaker works out itself which of its resources a change concerns: one
whose parameters are the same goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

PREFIX = "fournines-"
#: The set of properties that every tool of Pacemaker's writes to.
PROPERTIES = "cib-bootstrap-options"
SECTIONS = ("resources", "constraints")
#: Whose children's order means something.
ORDERED = ("group", "resource_set")


def canonical(element: Element) -> tuple[object, ...]:
    """Equal for elements that mean the same: order of attributes never counts, that of children where it matters."""
    children = [canonical(child) for child in element]
    if element.tag not in ORDERED:
        children.sort(key=repr)
    return element.tag, tuple(sorted(element.attrib.items())), tuple(children)


def ours(configuration: Element, part: str) -> dict[str, Element]:
    """id -> element, of those of ours in `part`."""
    found = configuration.find(part)
    return {
        name: child
        for child in (found if found is not None else ())
        if (name := child.get("id", "")).startswith(PREFIX)
    }


def properties(configuration: Element) -> dict[str, Element]:
    """Name -> nvpair, of the set that tools write to."""
    found = configuration.findall("crm_config/cluster_property_set/nvpair")
    return {pair.get("name", ""): pair for pair in found}


def differences(running: Element, wanted: Element) -> Iterator[str]:
    """What `merge` would change, each as one phrase."""
    now = properties(running)
    for name, pair in properties(wanted).items():
        value = now[name].get("value") if name in now else None
        if value != pair.get("value"):
            yield f"{'~' if name in now else '+'} {name} {'' if value is None else f'{value} → '}{pair.get('value')}"
    for part in SECTIONS:
        before, after = ours(running, part), ours(wanted, part)
        yield from (f"- {name}" for name in before if name not in after)
        yield from (f"+ {name}" for name in after if name not in before)
        for name in before.keys() & after.keys():
            if canonical(before[name]) != canonical(after[name]):
                yield f"~ {name}: {', '.join(_changed(before[name], after[name])) or 'order'}"


def _changed(before: Element, after: Element) -> Iterator[str]:
    old, new = _settings(before), _settings(after)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name} {old.get(name, 'unset')} → {new.get(name, 'unset')}"


def _settings(element: Element) -> dict[str, str]:
    """Everything in `element` that has a value, by what people call it."""
    found: dict[str, str] = {}
    for one in element.iter():
        if one.tag == "nvpair":
            owner = one.get("id", "").removesuffix(f"-{one.get('name')}").removeprefix(PREFIX)
            owner = owner.removesuffix("-instance_attributes").replace("-meta_attributes", " meta")
            found[f"{owner}.{one.get('name')}"] = one.get("value", "")
        elif one.tag == "op":
            found |= {f"{one.get('id', '').removeprefix(PREFIX)}.{k}": v for k, v in one.attrib.items() if k != "id"}
        elif "id" in one.attrib:
            name = one.get("id", "").removeprefix(PREFIX)
            found |= {f"{name}.{k}": v for k, v in one.attrib.items() if k != "id"}
            found[name] = one.tag
    return found


def merge(running: Element, wanted: Element) -> None:
    """Makes ours in `running` as `wanted` has it, what is right left in its place."""
    now = properties(running)
    options = running.find("crm_config/cluster_property_set")
    for name, pair in properties(wanted).items():
        if name in now:
            now[name].set("value", pair.get("value", ""))
        elif options is not None:
            options.append(pair)
        else:
            options = ElementTree.SubElement(section(running, "crm_config"), "cluster_property_set", id=PROPERTIES)
            options.append(pair)
    for part in SECTIONS:
        place = section(running, part)
        before, after = ours(running, part), ours(wanted, part)
        for name, element in before.items():
            if name not in after:
                place.remove(element)
            elif canonical(element) != canonical(after[name]):
                place[list(place).index(element)] = after[name]
        place.extend(element for name, element in after.items() if name not in before)


def section(configuration: Element, name: str) -> Element:
    """Made where there is none."""
    found = configuration.find(name)
    return ElementTree.SubElement(configuration, name) if found is None else found

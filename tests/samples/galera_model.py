"""A model of Galera's group membership and durability, small enough to enumerate every history.

What it models, from gcomm's source: a view stays Primary with a strict majority of its members (graceful leavers not
counted); nodes without a Primary view become Primary by themselves only when all members of the last one are back; a
write is acknowledged when every member of the view has received it and the writer has committed it; the others may
not have committed, and forget it when they are killed; a running node that lost Primary keeps what it received.
State transfer is instantaneous. `choose` is the rule under test: the agents of one network block see the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from fournines.agent.observer.galera_files import View
from fournines.agent.observer.primary import Choice, Kind, Report

Choose = Callable[[tuple[str, ...], Mapping[str, Report]], Choice]


@dataclass(frozen=True)
class Node:
    """log: writes received; what lies beyond `durable` is lost by a crash. mine: own UUID in the last view. begins: how
    many writes came before that view; noted: its agent learned that in time."""

    up: bool = False
    waiting: bool = False
    frozen: bool = False
    primary: bool = False
    synced: bool = False
    uuid: str = ""
    view: View | None = None
    begins: int = 0
    noted: bool = False
    mine: str = ""
    component: frozenset[str] = frozenset()
    log: tuple[int, ...] = ()
    durable: int = 0
    state: bool = False
    clean: bool = True
    last: bool = False

    @property
    def live(self) -> bool:
        return self.up and not self.frozen


@dataclass(frozen=True)
class World:
    nodes: tuple[tuple[str, Node], ...]
    blocks: tuple[frozenset[str], ...]
    acked: tuple[int, ...] = ()
    counter: int = 0
    bootstraps: int = 0

    def __getitem__(self, name: str) -> Node:
        return dict(self.nodes)[name]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(n for n, _ in self.nodes)

    def put(self, **changed: Node) -> World:
        return replace(self, nodes=tuple((n, changed.get(n, node)) for n, node in self.nodes))

    def committing(self) -> list[frozenset[str]]:
        """Primary views in which a write could be acknowledged now: all members live and connected."""
        found: dict[str, set[str]] = {}
        for name, node in self.nodes:
            if node.primary and node.live and node.view:
                found.setdefault(node.view.id, set()).add(name)
        able: list[frozenset[str]] = []
        for members in found.values():
            view = self[next(iter(members))].view
            assert view
            if len(members) == len(view.members) and any(members <= b for b in self.blocks):
                able.append(frozenset(members))
        return able


def new_world(names: tuple[str, ...]) -> World:
    return World(tuple((n, Node()) for n in names), (frozenset(names),))


def running_world(names: tuple[str, ...]) -> World:
    world = new_world(names)
    ready = {n: replace(node, up=True, synced=True, uuid=f"{n}0", state=True) for n, node in world.nodes}
    return _install(world.put(**ready), frozenset(names))


def _install(world: World, members: frozenset[str]) -> World:
    """A new Primary view of `members`; everybody gets everything that any live member received."""
    view = View(f"v{world.counter}", frozenset(world[m].uuid for m in members))
    log = max((world[m].log for m in members if world[m].synced), key=len)
    changed: dict[str, Node] = {}
    for m in members:
        node = world[m]
        # A joiner's state transfer leaves it with all of it on disk; others commit at their own pace.
        durable = node.durable if node.synced else len(log)
        changed[m] = replace(
            node,
            primary=True,
            synced=True,
            view=view,
            begins=len(log),
            noted=False,
            mine=node.uuid,
            component=members,
            log=log,
            durable=durable,
            state=True,
            clean=False,
            last=False,
        )
    return replace(world.put(**changed), counter=world.counter + 1)


def settle(world: World) -> World:
    """Galera notices who is reachable."""
    for block in world.blocks:
        component = frozenset(n for n in block if world[n].live)
        if component:
            world = _settle_component(world, component)
    return world


def _settle_component(world: World, component: frozenset[str]) -> World:
    uuids = {world[n].uuid for n in component}
    views = {v for n in component if world[n].primary and (v := world[n].view)}
    surviving = [v for v in views if 2 * len(v.members & uuids) > len(v.members)]
    if surviving:
        same = len(surviving) == 1 and surviving[0].members == uuids and all(world[n].primary for n in component)
        return world if same else _install(world, component)
    remembered = [v for n in component if world[n].synced and (v := world[n].view)]
    newest = max(remembered, key=lambda v: int(v.id[1:]), default=None)
    lost = {n: replace(world[n], primary=False, component=component) for n in component}
    world = world.put(**lost)
    if newest and newest.members <= uuids and any(world[n].synced for n in component):
        return _install(world, component)
    return world


def agents(world: World, choose: Choose) -> World:
    """Everything the agents of each block decide at this moment."""
    for block in world.blocks:
        for name in block:
            node = world[name]
            alone = not any(world[m].primary for m in node.component | {name})
            if node.live and not node.primary and not node.synced and alone:
                # A joiner whose Primary component vanished gives up and waits again.
                world = world.put(**{name: replace(node, up=False, waiting=True, log=node.log[: node.durable])})
        reports = {n: report(world, n) for n in block}
        if any(r.kind is Kind.PRIMARY for r in reports.values()):
            for name in block:
                if reports[name].kind is Kind.STOPPED:
                    world = world.put(**{name: start(world, name)})
                    world = replace(world, counter=world.counter + 1)
            continue
        choice = choose(world.names, reports)
        if choice.chosen and choice.required <= block:
            world = _act(world, choice.chosen, block)
    return world


def _act(world: World, name: str, block: frozenset[str]) -> World:
    world = replace(world, bootstraps=world.bootstraps + 1)
    if world[name].up:
        return _install(world, frozenset(n for n in world[name].component if n in block and world[n].live))
    node = replace(start(world, name), synced=True)
    return _install(replace(world.put(**{name: node}), counter=world.counter + 1), frozenset({name}))


def start(world: World, name: str) -> Node:
    """galera-start forgets the last Primary view before mysqld starts, so the UUID is a new one."""
    return replace(
        world[name],
        up=True,
        waiting=False,
        uuid=f"{name}{world.counter + 1}",
        view=None,
        noted=False,
        mine="",
        synced=False,
        component=frozenset({name}),
        clean=False,
    )


def report(world: World, name: str) -> Report:
    node = world[name]
    if node.up:
        if node.frozen:
            return Report(Kind.UNKNOWN)
        kind = Kind.PRIMARY if node.primary else Kind.RUNNING if node.synced else Kind.UNKNOWN
        seqno = node.durable
    else:
        kind = Kind.STOPPED if node.waiting else Kind.UNKNOWN
        seqno = node.durable
    return Report(
        kind=kind,
        cluster="u" if node.state else "",
        seqno=seqno,
        node=node.mine,
        view=node.view,
        view_seqno=node.begins if node.noted else -1,
        clean=node.clean,
        last=node.last,
        component=frozenset(world[m].uuid for m in node.component),
    )


def crash(world: World, name: str) -> World:
    node = world[name]
    if not node.up:
        return world.put(**{name: replace(node, waiting=False)})
    log = node.log[: node.durable]
    dead = replace(node, up=False, waiting=False, frozen=False, primary=False, synced=False, log=log)
    return world.put(**{name: replace(dead, component=frozenset())})


def stop(world: World, name: str) -> World:
    """Graceful. The rest of a Primary view stays Primary whatever its size."""
    node = world[name]
    last = node.primary and node.view is not None and len(node.view.members) == 1
    gone = replace(
        node,
        up=False,
        primary=False,
        synced=False,
        durable=len(node.log),
        view=None,
        noted=False,
        mine="",
        component=frozenset(),
        clean=True,
        last=last,
    )
    rest = frozenset(
        n for n in world.names if n != name and node.primary and world[n].primary and world[n].view == node.view
    )
    world = world.put(**{name: gone})
    return _install(world, rest) if rest else world


def write(world: World, writer: str) -> World:
    """Acknowledged: every member of the view received it, the writer committed it."""
    number = len(world.acked) + 1
    view = next(v for v in world.committing() if writer in v)
    changed = {n: replace(world[n], log=(*world[n].log, number)) for n in view}
    changed[writer] = replace(changed[writer], durable=len(changed[writer].log))
    return replace(world.put(**changed), acked=(*world.acked, number))


def partitions(names: tuple[str, ...]) -> Iterator[tuple[frozenset[str], ...]]:
    """The whole, and every way to split it in two."""
    yield (frozenset(names),)
    for size in range(1, len(names) // 2 + 1):
        for one in combinations(names, size):
            yield (frozenset(one), frozenset(names) - frozenset(one))


def events(world: World, choose: Choose, writes: int) -> Iterator[tuple[str, World]]:
    """Everything that can happen next, named."""
    for name, node in world.nodes:
        if node.up or node.waiting:
            yield f"crash {name}", crash(world, name)
        if not node.up and not node.waiting:
            yield f"start {name}", world.put(**{name: replace(node, waiting=True)})
        if node.live and node.synced:
            yield f"freeze {name}", world.put(**{name: replace(node, frozen=True)})
            connected = not node.primary or any(name in v for v in world.committing())
            if connected:
                yield f"stop {name}", stop(world, name)
        if node.frozen:
            yield f"thaw {name}", world.put(**{name: replace(node, frozen=False)})
        if node.live and node.durable < len(node.log):
            yield f"commit {name}", world.put(**{name: replace(node, durable=len(node.log))})
        if node.live and node.primary and not node.noted and node.durable >= node.begins:
            yield f"note {name}", world.put(**{name: replace(node, noted=True)})
        if len(world.acked) < writes and any(name in v for v in world.committing()):
            yield f"write {name}", write(world, name)
    if all(n.up for _, n in world.nodes):
        dead = world
        for name in world.names:
            dead = crash(dead, name)
        yield "power cut", dead
    for blocks in partitions(world.names):
        if blocks != world.blocks:
            label = " | ".join("+".join(sorted(b)) for b in blocks)
            yield f"network {label}", replace(world, blocks=blocks)
    yield "galera", settle(world)
    yield "agents", agents(world, choose)


def violation(world: World) -> str:
    """What must never be: two components that commit, or one that has lost an acknowledged write."""
    able = world.committing()
    if len(able) > 1:
        return f"two Primary components: {[sorted(v) for v in able]}"
    for view in able:
        for name in view:
            missing = set(world.acked) - set(world[name].log)
            if missing:
                return f"{name} is Primary without acknowledged writes {sorted(missing)}"
    return ""


def all_back(world: World, choose: Choose) -> World:
    """Network whole, nothing frozen, every host on: what has become of it once agents and Galera had their time."""
    world = replace(world, blocks=(frozenset(world.names),))
    for _ in range(6):
        idle = {n: replace(x, frozen=False, waiting=not x.up) for n, x in world.nodes}
        world = agents(settle(world.put(**idle)), choose)
    return settle(world)

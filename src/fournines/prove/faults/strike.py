"""A fault is one class: how it is written, injected, seen from outside, kept up and healed, and what it means.

Parsing, `--help`, the documentation and the property tests read all they need from the class. To add a fault, write one
in its family's module and name it in that module's FAMILY.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Literal

from fournines.errors import FourninesError, HostError, ProveError
from fournines.prove.faults.powers import Powers
from fournines.prove.model import Fault
from fournines.prove.severity import Severity

#: What a strike does shows within so long, where nothing says otherwise.
SEEN_WITHIN_S = 3.0
LOOK_EVERY_S = 0.02


def not_seen(what: str, host: str, why: str) -> ProveError:
    return ProveError(f"the strike was not seen from outside: {what}", where=host, why=why)


class Strike(ABC):
    """One fault on its hosts, in this order: `lacking`, `prepare`, `look`, `strike`, `verify`, `hold`, `heal`.

    `heal` may be called at any time, twice, and by another process than the one that struck: nothing that it needs is
    kept in the object.
    """

    name: ClassVar[str]
    #: What happens, and until when: cells of the documentation's table.
    what: ClassVar[str]
    until: ClassVar[str]
    #: How it is seen from outside that it happened.
    seen: ClassVar[str]
    subject: ClassVar[Literal["host", "service"]] = "host"
    #: Seconds until the heal; 0: it heals by itself.
    duration: ClassVar[float] = 20.0
    #: Whether it is struck from outside the host, so that it may be struck last and must be healed first of a pair.
    outside: ClassVar[bool] = True
    #: Whether the host boots before it is redundant again.
    boots: ClassVar[bool] = False
    #: Targets in `--faults each`; of a service fault, subjects.
    each: ClassVar[tuple[str, ...]] = ()
    #: Whether suites and soaks draw it; else it is made only where somebody names it.
    drawn: ClassVar[bool] = True
    #: What it may cost at most where it strikes one host: a class of pass marks.
    costs: ClassVar[Severity] = "host"
    #: Of a host fault: the service whose hosts it strikes; "" those that carry any part of the control plane.
    carrier: ClassVar[str] = ""
    #: Of a service fault: those that it can strike; () all.
    services: ClassVar[tuple[str, ...]] = ()

    def __init__(self, by: Powers, fault: Fault, hosts: tuple[str, ...]) -> None:
        self.by = by
        self.fault = fault
        self.hosts = hosts

    @classmethod
    def lacking(cls, by: Powers) -> str:
        """Why it cannot be injected here, "" if it can."""
        return ""

    async def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """What nobody notices yet, and `heal` undoes: the strike itself is then one instant. Raises FourninesError."""

    async def look(self) -> None:  # noqa: B027 - most have nothing to compare with
        """What `verify` compares with. Raises FourninesError when there is nothing to strike."""

    @abstractmethod
    async def strike(self) -> None:
        """Strikes all hosts at once. Raises FourninesError; what was struck is for `heal`."""

    @abstractmethod
    async def verify(self) -> tuple[str, ...]:
        """What was seen from outside, one line a host. Raises FourninesError when the strike was not seen."""

    async def hold(self) -> tuple[str, ...]:
        """Until it is time to heal. What was measured meanwhile, one line a host."""
        await asyncio.sleep(self.fault.duration)
        return ()

    async def heal(self) -> tuple[str, ...]:
        """Heals each host, whatever becomes of the others. What could not be healed, one line each."""
        return ()

    async def everywhere(self, act: Callable[[str], Awaitable[None]]) -> None:
        """On all hosts at once; waits for all, then raises the first error."""
        for end in await asyncio.gather(*(act(host) for host in self.hosts), return_exceptions=True):
            if end is not None:
                raise end

    async def heal_everywhere(
        self, act: Callable[[str], Awaitable[None]], hosts: Sequence[str] | None = None
    ) -> tuple[str, ...]:
        """`hosts`: of the struck ones, None for all."""
        healed = self.hosts if hosts is None else hosts
        ended = await asyncio.gather(*(act(host) for host in healed), return_exceptions=True)
        return tuple(
            f"{host}: {_line(end)}" for host, end in zip(healed, ended, strict=True) if isinstance(end, Exception)
        )

    async def run(self, host: str, script: str, *, stdin: str = "", timeout: float = 15.0, doing: str) -> str:
        """Its output. Raises HostError when it fails; `doing` says what failed, such as "cannot freeze x.service"."""
        done = await self.by.reach.run(host, script, stdin=stdin, timeout=timeout)
        if done.status:
            raise HostError(doing, where=host, why=(done.stderr.strip() or done.stdout.strip())[-300:])
        return done.stdout


class PerHost(Strike):
    """A fault that strikes, is seen and heals on each host by itself."""

    async def strike(self) -> None:
        await self.everywhere(self.strike_host)

    async def verify(self) -> tuple[str, ...]:
        return tuple(await asyncio.gather(*(self.verify_host(host) for host in self.hosts)))

    async def heal(self) -> tuple[str, ...]:
        return await self.heal_everywhere(self.heal_host)

    @abstractmethod
    async def strike_host(self, host: str) -> None: ...

    @abstractmethod
    async def verify_host(self, host: str) -> str: ...

    async def heal_host(self, host: str) -> None:
        """Nothing, of faults that heal by themselves."""


#: What a strike replaces is kept here, so that any process can put it back, after a boot as well.
KEPT = "/var/lib/fournines-fault"


class Scripted(PerHost):
    """Struck, seen and healed by shell scripts of the host, whose first line says whose they are."""

    outside = False

    async def script(self, host: str, act: str, body: str, *, stdin: str = "", timeout: float = 30.0) -> str:
        """`act`: strike, look, heal. `$kept` is where what is replaced is kept."""
        begin = f": {self.name} {act}\nkept={KEPT}/{self.kept}\nmkdir -p -m 700 {KEPT}\n"
        doing = f"cannot {act if act != 'look' else 'look at'} {self.name}"
        return await self.run(host, begin + body, stdin=stdin, timeout=timeout, doing=doing)

    @property
    def kept(self) -> str:
        return "-".join(filter(None, (self.name, self.fault.service)))


async def until(holds: Callable[[], Awaitable[bool]], within: float | None = None) -> bool:
    """Whether it held at some moment within so many seconds, SEEN_WITHIN_S where nothing is said."""
    deadline = asyncio.get_running_loop().time() + (SEEN_WITHIN_S if within is None else within)
    while not await holds():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True


def _line(error: BaseException) -> str:
    if isinstance(error, FourninesError):
        return ": ".join(filter(None, (error.what, error.why)))
    return f"{type(error).__name__}: {error}"

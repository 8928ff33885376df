"""Carrying out what a handler decided, by the functions that the command line calls."""

from __future__ import annotations

import asyncio
import os
import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

from fournines.cloud.model import Cloud, Host
from fournines.commands import apply as applying
from fournines.commands import operation
from fournines.commands import reboot as rebooting
from fournines.commands import rotate as rotating
from fournines.commands.drain import to_drain
from fournines.commands.fence import others, switch
from fournines.commands.notify import tell
from fournines.design import require_valid
from fournines.engine import SshOptions, connect, local_lock
from fournines.engine.events import silent
from fournines.errors import CloudFileError, FourninesError, HostError, LockedError
from fournines.plan import saved
from fournines.services import database_tls, haproxy, tls
from fournines.services.rotation import PHASES
from fournines.watch.decide import Action

#: A unit may take as long to start as systemd lets it.
RESTART_S = 180.0
#: How long an action waits for another run that holds the cloud, and between two attempts.
LOCKED_S, LOCKED_AGAIN_S = 900.0, 15.0


class Hands:
    """`cloud`: as the file says now. `say`: a line for the record."""

    def __init__(self, cloud: Callable[[], Cloud], ssh: SshOptions, say: Callable[[str], None]) -> None:
        self._cloud = cloud
        self._ssh = ssh
        self._say = say

    async def carry_out(self, action: Action) -> str:
        """What was done. Waits for another run that holds the cloud. Raises FourninesError: it could not be."""
        deadline = time.monotonic() + LOCKED_S
        while True:
            try:
                return await self._once(action)
            except LockedError as error:
                if time.monotonic() >= deadline:
                    raise
                self._say(f"{action.do} waits: {error.what}: {error.why}")
                await asyncio.sleep(LOCKED_AGAIN_S)

    async def _once(self, action: Action) -> str:
        cloud = self._cloud()
        match action.do:
            case "notify":
                return await self._notify(cloud, action)
            case "renew":
                return await self._renew(cloud, action)
            case "plan":
                return await self._plan(cloud, action)
            case "restart" | "drain" | "fence" | "reboot" as do:
                return await self._to_host(cloud, action, do)

    async def _to_host(self, cloud: Cloud, action: Action, do: Literal["restart", "drain", "fence", "reboot"]) -> str:
        name = action.condition.host
        host = cloud.host_by_name.get(name)
        if host is None:
            why = f"{cloud.name} has no host {name}" if name else f"no label of {action.condition} names a host"
            raise HostError(f"{do} cannot be done", where=str(cloud.source), why=why)
        match do:
            case "restart":
                return await self._restart(host, action.condition.of)
            case "drain":
                return await self._drain(cloud, host, _reason(action))
            case "fence":
                await switch(others(cloud, host), host, "off", self._ssh)
                return f"{host.name} was switched off; fournines fence {cloud.source} {host.name} on"
            case "reboot":
                return await self._reboot(cloud, host, _reason(action))

    async def _notify(self, cloud: Cloud, action: Action) -> str:
        """All of them, each on its own."""
        names = action.handler.receivers or tuple(cloud.receivers)
        known = [cloud.receivers[name] for name in names if name in cloud.receivers]
        if not known:
            return "nobody is told: the cloud file has no receivers"
        text = message(action)
        told = await asyncio.gather(*(tell(cloud, r, text, _event(action)) for r in known), return_exceptions=True)
        if failed := [error for error in told if isinstance(error, BaseException)]:
            first = failed[0]
            if isinstance(first, FourninesError):
                raise first
            raise HostError("receivers could not be told", why=type(first).__name__)
        return f"told {', '.join(r.name for r in known)}"

    async def _restart(self, host: Host, unit: str) -> str:
        name = shlex.quote(unit)
        script = f"systemctl reset-failed {name} 2>/dev/null; systemctl restart {name} && systemctl is-active {name}"
        async with connect([host], self._ssh) as hosts:
            hosts.require_all()
            done = await hosts[host.name].run(script, timeout=RESTART_S)
        if done.status != 0:
            last = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.status}").splitlines()[-1]
            raise HostError(
                f"{unit} could not be restarted", where=host.name, why=last, next=f"journalctl -u {unit} -n 50"
            )
        return f"{unit} of {host.name} was restarted"

    async def _drain(self, cloud: Cloud, host: Host, reason: str) -> str:
        require_valid(cloud)
        with _alone(cloud):
            change = to_drain(host, reason, operation.now())
            doing = operation.carry_out(
                cloud, self._ssh, change, (host.name,), reporting=lambda: nullcontext(silent), say=self._say
            )
            await doing
        return f"{host.name} was drained; fournines undrain {cloud.source} {host.name}"

    async def _reboot(self, cloud: Cloud, host: Host, reason: str) -> str:
        require_valid(cloud)
        how = rebooting.How(reason, self._ssh, self._say, lambda: nullcontext(silent))
        with _alone(cloud):
            found = await rebooting.planned(cloud, [host], how)
            await rebooting.reboot_all(cloud, found, how)
        return f"{host.name} was rebooted"

    async def _renew(self, cloud: Cloud, action: Action) -> str:
        """Every certificate that the cloud's own authorities have issued."""
        path = action.condition.of
        if path in (tls.CA, f"{database_tls.CERTIFICATES}/members.pem"):
            raise HostError(
                "this is an authority's",
                where=path,
                why=f"clients outside need the new one first: fournines rotate {cloud.source} ca",
            )
        if path == haproxy.CERTIFICATE and cloud.tls.certificate:
            why = f"replace {cloud.tls.certificate}, then fournines apply {cloud.source}"
            raise HostError("this certificate is your own", where=path, why=why)
        require_valid(cloud)
        with _alone(cloud):
            for phase in await rotating.planned(cloud, ("certificates",), self._ssh, PHASES[-1]):
                try:
                    await rotating.carry_out(phase, self._ssh, silent, confirmed=False)
                except CloudFileError as error:  # a watch that has the secrets as a credential cannot write them
                    why = f"{error.why or error.what}; where it can: fournines rotate CLOUD certificates"
                    raise HostError("the secrets file cannot be written from here", why=why) from error
        return "keys and certificates of all servers and members were renewed"

    async def _plan(self, cloud: Cloud, action: Action) -> str:
        path = action.handler.plan
        assert path
        with _alone(cloud):
            wish = applying.of_saved(cloud, saved.load(path.read_text(), str(path)), str(path))
            assert wish.plan
            await applying.carry_out(wish, wish.plan, self._ssh, silent, confirmed=True)
        return f"{path} was applied"


def message(action: Action) -> str:
    """For people: what is, and what was done about it."""
    head = action.condition.text or str(action.condition)
    return "\n".join([f"{head} (handler {action.handler.name})", *action.after])


def _event(action: Action) -> Mapping[str, Any]:
    condition = action.condition
    return {
        "event": condition.when,
        "host": condition.host,
        "of": condition.of,
        "handler": action.handler.name,
        "done": list(action.after),
    }


def _reason(action: Action) -> str:
    return f"handler {action.handler.name}: {action.condition.text or action.condition}".splitlines()[0][:200]


def _alone(cloud: Cloud) -> AbstractContextManager[None]:
    """Beside the hosts' own locks, which hold everywhere: that of this machine, where the cloud's state is kept here. A
    watch that has the cloud file as a credential keeps none."""
    nearest = next(p for p in (cloud.state_dir, *cloud.state_dir.parents) if p.exists())
    return local_lock(cloud.state_dir) if os.access(nearest, os.W_OK) else nullcontext()

"""Reboots: which boot of a host this is, and the next one."""

from __future__ import annotations

import asyncio
import time

from fournines.cloud.model import Host
from fournines.engine.connect import connect
from fournines.engine.ssh import SshOptions
from fournines.engine.transport import Transport
from fournines.errors import HostError

#: Seconds for one attempt to reach a host that boots, and between two.
_ATTEMPT, _PAUSE = 5.0, 1.0


async def boot_of(host: Transport) -> str:
    """The kernel's ID of this boot. Raises HostError."""
    done = await host.run("cat /proc/sys/kernel/random/boot_id", timeout=15)
    if done.status or not done.stdout.strip():
        raise HostError(f"{host.host} does not say which boot this is", where=host.host, why=done.stderr.strip())
    return done.stdout.strip()


async def begin_reboot(host: Transport) -> None:
    """Returns when it is asked for, while the connection still stands. Raises HostError."""
    done = await host.run("setsid -f sh -c 'sleep 1; systemctl reboot' < /dev/null > /dev/null 2>&1", timeout=15)
    if done.status:
        raise HostError(f"{host.host} does not reboot", where=host.host, why=done.stderr.strip())


async def next_boot(host: Host, before: str, ssh: SshOptions, within: float) -> None:
    """Returns when `host` answers and is in another boot than `before`. Raises HostError after `within` seconds."""
    options = SshOptions(ssh.sudo_password, ssh.accept_new_host_keys, _ATTEMPT)
    deadline, why = time.monotonic() + within, "it is still in the same boot"
    while time.monotonic() < deadline:
        async with connect([host], options) as reached:
            if host.name in reached:
                try:
                    if await boot_of(reached[host.name]) != before:
                        return
                    why = "it is still in the same boot"
                except HostError as error:
                    why = error.what
            else:
                why = reached.failures[host.name].what
        await asyncio.sleep(_PAUSE)
    raise HostError(
        f"{host.name} has not come back within {within:g} s",
        where=host.name,
        why=why,
        next="see its console; when it is up, run the same command again: it continues",
    )

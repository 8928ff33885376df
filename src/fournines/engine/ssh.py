"""Hosts over SSH: connecting, saying precisely why it did not work, starting shells as root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import asyncssh

from fournines.cloud.model import Host
from fournines.engine.shell import Pipes, ShellHost
from fournines.errors import HostError

_MARK = "fournines-script-follows"
_AGAIN = "see that the host is up and reachable from here"


@dataclass(frozen=True)
class SshOptions:
    """How this run reaches hosts. `sudo_password` is for users other than root; None: sudo must not ask for one."""

    sudo_password: str | None = field(default=None, repr=False)
    accept_new_host_keys: bool = False
    connect_timeout: float = 10.0


class SshHost(ShellHost):
    def __init__(self, host: Host, connection: asyncssh.SSHClientConnection, options: SshOptions) -> None:
        super().__init__(host.name)
        self._connection = connection
        self._sudo = host.ssh.user != "root"
        self._password = options.sudo_password

    @asynccontextmanager
    async def shell(self, script: str) -> AsyncGenerator[Pipes]:
        body = script.encode()
        command = f'eval "$(head -c {len(body)})"'
        if self._sudo and self._password is None:
            command = f"sudo -n sh -c '{command}'"
        elif self._sudo and self._password is not None:
            # Where sudo does not ask, it leaves the password in stdin: the mark says where the script begins.
            skip = f'while IFS= read -r line && [ "$line" != {_MARK} ]; do :; done'
            command = f"sudo -S -p '' sh -c '{skip}; {command}'"
            body = f"{self._password}\n{_MARK}\n".encode() + body
        else:
            command = f"sh -c '{command}'"
        try:
            process = await self._connection.create_process(command, encoding=None)
            try:
                process.stdin.write(body)
                yield Pipes(process.stdin, process.stdout, process.stderr, lambda: _status(process))
            finally:
                process.close()  # without waiting: after Ctrl-C a step may go on there for minutes
        except asyncssh.Error as error:
            raise ConnectionError(error.reason) from error

    async def check_sudo(self) -> None:
        """One attempt, so that a wrong password does not lock the account. Raises `HostError`."""
        if not self._sudo:
            return
        flags = "-n" if self._password is None else "-k -S -p ''"
        answer = await self._connection.run(
            f"LC_ALL=C sudo {flags} true", input=f"{self._password or ''}\n", check=False, timeout=30
        )
        if answer.exit_status == 0:
            return
        said = str(answer.stderr or "").strip().splitlines()
        if self._password is None and any("password is required" in line for line in said):
            what, then = "sudo asks for a password", "give it: --ask-sudo-password, or FOURNINES_SUDO_PASSWORD"
        elif any("incorrect password" in line or "Sorry, try again" in line for line in said):
            what, then = "sudo refuses the password", "give the right one: --ask-sudo-password"
        else:
            what, then = "sudo does not make this user root", "allow it in sudoers, or use another `ssh.user`"
        why = said[-1] if said else f"exit status {answer.exit_status}"
        raise HostError(f"{self.host}: {what}", where=self.host, why=why, next=then)

    async def close(self) -> None:
        self._connection.close()
        await self._connection.wait_closed()


async def _status(process: asyncssh.SSHClientProcess[bytes]) -> int:
    await process.wait_closed()
    return -1 if process.exit_status is None else process.exit_status


async def connect_host(host: Host, options: SshOptions) -> SshHost:
    """Raises `HostError` that says which of the many things that can be wrong is."""
    ssh, address = host.ssh, str(host.address)
    known = _KnownHosts(ssh.known_hosts or Path.home() / ".ssh" / "known_hosts", host, options.accept_new_host_keys)
    where = f"{ssh.user}@{address}:{ssh.port}"
    try:
        connection = await asyncio.wait_for(
            asyncssh.connect(
                address,
                port=ssh.port,
                username=ssh.user,
                client_keys=[_private_key(ssh.key)] if ssh.key else (),
                agent_path=None if ssh.key else (),
                known_hosts=known.trusted,
                client_factory=lambda: _Client(known.unknown),
                # The order decides: these are the cheapest that are sound (100 hosts connect in half the time).
                kex_algs="^curve25519-sha256",
                encryption_algs="^aes128-gcm@openssh.com",
                compression_algs=None,
                # A session is lost after 15 s of silence: a host that loses power must not hang the run.
                keepalive_interval=5,
                keepalive_count_max=3,
            ),
            options.connect_timeout,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise known.error(str(error)) from error
    except asyncssh.PermissionDenied as error:
        said = f"key {ssh.key}" if ssh.key else "no key of the agent or of ~/.ssh is accepted"
        raise HostError(
            f"{host.name} refuses the key of user {ssh.user}",
            where=where,
            why=said,
            next=f"append the public key to ~{ssh.user}/.ssh/authorized_keys there, or set `ssh.user` and `ssh.key`",
        ) from error
    except TimeoutError as error:
        seconds = f"within {options.connect_timeout:g} s"
        raise HostError(f"{host.name} does not answer {seconds}", where=where, next=_AGAIN) from error
    except ConnectionRefusedError as error:
        raise HostError(
            f"{host.name} refuses connections",
            where=where,
            why="nothing listens on this port",
            next="start sshd on the host, or set `ssh.port`",
        ) from error
    except asyncssh.ConfigParseError as error:
        raise HostError(f"{host.name}: ~/.ssh/config cannot be read", where=where, why=str(error)) from error
    except (OSError, asyncssh.Error) as error:
        raise HostError(f"{host.name} is not reachable", where=where, why=_reason(error), next=_AGAIN) from error
    reached = SshHost(host, connection, options)
    try:
        await reached.check_sudo()
    except BaseException:
        await reached.close()
        raise
    return reached


def _reason(error: Exception) -> str:
    if isinstance(error, asyncssh.Error):
        return error.reason
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


@lru_cache
def _private_key(path: Path) -> asyncssh.SSHKey:
    try:
        return asyncssh.read_private_key(str(path))
    except (OSError, asyncssh.KeyImportError) as error:
        raise HostError(
            "the private key cannot be used",
            where=str(path),
            why=str(error),
            next="name a readable key; one with a passphrase goes through ssh-agent: leave `ssh.key` out",
        ) from error


class _KnownHosts:
    """What is known about one host's key, and what to say when the host shows another."""

    def __init__(self, path: Path, host: Host, accept_new: bool) -> None:
        self.path = path
        self.host = host
        self.trusted = _read_known_hosts(path, path.stat().st_mtime_ns if path.exists() else 0)
        address, port = str(host.address), host.ssh.port
        self._name = address if port == 22 else f"[{address}]:{port}"
        self._known = any(self.trusted.match(address, address, port)[:3])
        self._accept_new = accept_new and not self._known

    def unknown(self, key: asyncssh.SSHKey) -> bool:
        """Whether a key that is not among the known ones is accepted: a host's first, and only when told to."""
        if not self._accept_new:
            return False
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(f"{self._name} {key.export_public_key().decode().strip()}\n")
        return True

    def error(self, why: str) -> HostError:
        where = f"{self.host.address}:{self.host.ssh.port}"
        if self._known:
            return HostError(
                f"{self.host.name} shows another host key than the known one",
                where=where,
                why=f"the host was reinstalled, or something else answers at its address; known keys: {self.path}",
                next=f"if it was reinstalled: ssh-keygen -f {self.path} -R '{self._name}', then --accept-new-host-keys",
            )
        return HostError(
            f"{self.host.name} is not a known host",
            where=where,
            why=f"{why}; known keys: {self.path}",
            next="compare its key's fingerprint with the host's console, then add it: --accept-new-host-keys",
        )


@lru_cache
def _read_known_hosts(path: Path, _changed: int) -> asyncssh.SSHKnownHosts:
    """Parsed once for all hosts; `_changed` makes a new one after the file changed."""
    try:
        return asyncssh.read_known_hosts(str(path)) if path.exists() else asyncssh.import_known_hosts("")
    except (OSError, ValueError) as error:
        raise HostError("the known hosts cannot be read", where=str(path), why=str(error)) from error


class _Client(asyncssh.SSHClient):
    def __init__(self, unknown: Callable[[asyncssh.SSHKey], bool]) -> None:
        self._unknown = unknown

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._unknown(key)

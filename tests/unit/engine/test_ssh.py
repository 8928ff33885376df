"""Reaching hosts: every way in which it can go wrong is told apart, and says what to do."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import asyncssh
import pytest

from fournines.cloud.model import Host
from fournines.engine import SshOptions, connect
from fournines.engine.ssh import SshHost
from fournines.errors import HostError

from .conftest import Sshd, free_port

SUDO = """\
#!/bin/sh
# Behaves as sudo does when asked by PASSWORD: reads one line a try, leaves the rest of stdin to the command.
[ "$1" = -n ] && { echo "sudo: a password is required" >&2; exit 1; }
while [ "${1#-}" != "$1" ]; do [ "$1" = -p ] && shift; shift; done
IFS= read -r said
[ "$said" = right ] || { echo "Sorry, try again." >&2; echo "sudo: 1 incorrect password attempt" >&2; exit 1; }
exec "$@"
"""


async def failure(host: Host, options: SshOptions | None = None) -> HostError:
    async with connect([host], options) as hosts:
        assert not hosts
        return hosts.failures[host.name]


async def test_runs_scripts_with_their_input(sshd: Sshd) -> None:
    async with connect([sshd.host()]) as hosts:
        done = await hosts["h1"].run("cat; echo oops >&2; exit 3", stdin="in\n")
        assert (done.status, done.stdout, done.stderr) == (3, "in\n", "oops\n")
        assert (await hosts["h1"].run("exit 0", stdin="x" * 1_000_000)).status == 0


async def test_a_slow_script_times_out_and_is_told(sshd: Sshd) -> None:
    async with connect([sshd.host()]) as hosts:
        with pytest.raises(HostError, match=r"h1 did not answer within 0\.3 s"):
            await hosts["h1"].run("sleep 60", timeout=0.3)


async def test_an_unknown_host_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    error = await failure(sshd.host(known_hosts=tmp_path / "known_hosts"))
    assert error.what == "h1 is not a known host"
    assert "--accept-new-host-keys" in error.next


async def test_an_unknown_host_key_is_learnt_when_told_to(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "new" / "known_hosts"
    async with connect([sshd.host(known_hosts=known)], SshOptions(accept_new_host_keys=True)) as hosts:
        assert hosts
    assert known.read_text().startswith(f"[127.0.0.1]:{sshd.port} ssh-ed25519 ")
    async with connect([sshd.host(known_hosts=known)]) as hosts:
        assert hosts


@pytest.mark.parametrize("accept", [False, True])
async def test_another_host_key_is_never_accepted(sshd: Sshd, tmp_path: Path, accept: bool) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {(sshd.directory / 'other.pub').read_text()}")
    error = await failure(sshd.host(known_hosts=known), SshOptions(accept_new_host_keys=accept))
    assert error.what == "h1 shows another host key than the known one"
    assert f"ssh-keygen -f {known} -R '[127.0.0.1]:{sshd.port}'" in error.next


async def test_a_refused_key(sshd: Sshd) -> None:
    error = await failure(sshd.host(key=sshd.directory / "other"))
    assert "refuses the key" in error.what
    assert "authorized_keys" in error.next


async def test_a_key_that_cannot_be_read(sshd: Sshd, tmp_path: Path) -> None:
    error = await failure(sshd.host(key=tmp_path / "none"))
    assert error.what == "the private key cannot be used"
    assert error.where == str(tmp_path / "none")


async def test_nothing_listens(sshd: Sshd) -> None:
    error = await failure(sshd.host(port=free_port()))
    assert error.what == "h1 refuses connections"


async def test_a_host_that_accepts_and_says_nothing_does_not_delay_the_others(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = [sshd.host("dead", port=silent.getsockname()[1]), sshd.host("well")]
        told: list[str] = []
        began = time.monotonic()
        options = SshOptions(connect_timeout=1.0)
        async with connect(hosts, options, failed=lambda name, error: told.append(name)) as connected:
            assert 0.9 < time.monotonic() - began < 5
            assert list(connected) == ["well"]
            assert told == ["dead"]
            assert connected.failures["dead"].what == "dead does not answer within 1 s"
            with pytest.raises(HostError, match="dead does not answer"):
                connected.require_all()


async def test_several_dead_hosts_are_one_error(sshd: Sshd) -> None:
    async with connect([sshd.host("a", port=free_port()), sshd.host("b", port=free_port())]) as connected:
        with pytest.raises(HostError, match="2 hosts failed: a refuses connections; b refuses connections"):
            connected.require_all()


async def test_a_lost_connection_is_told(sshd: Sshd) -> None:
    kill_session = """
p=$$
until grep -q ^sshd /proc/$p/comm; do p=$(ps -o ppid= -p $p | tr -d " "); done
kill -9 $p
sleep 5"""
    async with connect([sshd.host()]) as hosts:
        with pytest.raises(HostError, match="h1: the connection was lost"):
            await hosts["h1"].run(kill_session)


async def test_the_lock_ends_with_the_connection(sshd: Sshd) -> None:
    async with connect([sshd.host()]) as first:
        await first["h1"].lock("first").__aenter__()
    async with connect([sshd.host()]) as second:
        for _ in range(100):
            try:
                async with second["h1"].lock("second"):
                    return
            except Exception:  # sshd needs a moment to notice
                await asyncio.sleep(0.05)
    raise AssertionError("the lock outlived its holder")


# sudo


async def sudo_host(sshd: Sshd, directory: Path, password: str | None) -> tuple[SshHost, asyncssh.SSHClientConnection]:
    (directory / "sudo").write_text(SUDO)
    (directory / "sudo").chmod(0o755)
    host = sshd.host()
    connection = await asyncssh.connect(
        "127.0.0.1",
        sshd.port,
        username=host.ssh.user,
        client_keys=[str(host.ssh.key)],
        known_hosts=str(host.ssh.known_hosts),
        config=None,
    )
    run = connection.create_process

    async def with_stub(command: str, **kw: object) -> object:
        return await run(f"PATH={directory}:$PATH; {command}", **kw)

    connection.create_process = with_stub  # type: ignore[assignment]
    return SshHost(sshd.host(user="admin"), connection, SshOptions(password)), connection


async def test_sudo_gets_the_password_and_the_script_its_input(sshd: Sshd, tmp_path: Path) -> None:
    host, connection = await sudo_host(sshd, tmp_path, "right")
    async with connection:
        await host.check_sudo()
        assert (await host.run("cat", stdin="in\n")).stdout == "in\n"


async def test_sudo_that_does_not_ask_leaves_no_password_in_the_input(sshd: Sshd, tmp_path: Path) -> None:
    host, connection = await sudo_host(sshd, tmp_path, "right")
    (tmp_path / "sudo").write_text(
        '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do [ "$1" = -p ] && shift; shift; done\nexec "$@"\n'
    )
    async with connection:
        await host.check_sudo()
        assert (await host.run("cat", stdin="in\n")).stdout == "in\n"


@pytest.mark.parametrize(
    ("password", "what", "then"),
    [
        ("wrong", "sudo refuses the password", "--ask-sudo-password"),
        (None, "sudo asks for a password", "FOURNINES_SUDO_PASSWORD"),
    ],
)
async def test_sudo_refuses(sshd: Sshd, tmp_path: Path, password: str | None, what: str, then: str) -> None:
    host, connection = await sudo_host(sshd, tmp_path, password)
    async with connection:
        with pytest.raises(HostError, match=what) as caught:
            await host.check_sudo()
    assert then in caught.value.next
    assert "wrong" not in str(caught.value)

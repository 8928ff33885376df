"""The scripts that run on hosts, run by a real shell: probe, steps, lock."""

from __future__ import annotations

import asyncio
import getpass
import grp
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fournines.engine import perform as requests
from fournines.engine import probe
from fournines.engine.transport import Done
from fournines.errors import HostError, LockedError
from fournines.services.resource import Fact, MakeDirectory, Put, Run, Step
from samples.local import LocalHost

ME, GROUP = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name


def put(path: Path, content: bytes, mode: int = 0o600) -> Put:
    return Put(str(path), content, mode, ME, GROUP)


async def perform(*steps: Step, keep_going: bool = False) -> list[Done]:
    return [done async for done in LocalHost().perform(steps, keep_going=keep_going)]


# Probe

file_names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(file_names, unique=True, max_size=12), st.lists(file_names, unique=True, max_size=4))
def test_any_file_name_is_reported(tmp_path: Path, present: list[str], absent: list[str]) -> None:
    for name in present:
        (tmp_path / name).write_text(name)
    paths = [str(tmp_path / name) for name in dict.fromkeys([*present, *absent])]
    facts = [Fact("path", path) for path in paths] + [Fact("text", path) for path in paths]
    replies = asyncio.run(LocalHost().probe(facts))
    for name in present:
        digest = hashlib.sha256(name.encode()).hexdigest()
        assert replies[Fact("path", str(tmp_path / name))].split()[4] == digest
        assert replies[Fact("text", str(tmp_path / name))] == f"text {name}"
    for name in set(absent) - set(present):
        assert replies[Fact("path", str(tmp_path / name))] == "absent"
        assert replies[Fact("text", str(tmp_path / name))] == "absent"
    for name in present:
        (tmp_path / name).unlink()


async def test_kinds_of_paths(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "directory").mkdir(mode=0o750)
    (tmp_path / "to_file").symlink_to("file")
    (tmp_path / "to_nothing").symlink_to("nothing")
    os.mkfifo(tmp_path / "fifo", 0o600)
    names = ["file", "directory", "to_file", "to_nothing", "fifo", "nothing"]
    replies = await LocalHost().probe([Fact("path", str(tmp_path / name)) for name in names])
    empty = hashlib.sha256(b"").hexdigest()
    assert [reply.replace(f" {ME} {GROUP}", "") for reply in replies.values()] == [
        f"file 640 {empty}",
        "dir 750",
        f"file 640 {empty}",
        "other 777",
        "other 600",
        "absent",
    ]


async def test_snippets_give_their_first_line_and_run_side_by_side() -> None:
    snippets = {
        "echo one; echo two": "one",
        "exit 3": "absent",
        "true": "",
        "printf 'a=b'": "a=b",
        "echo 'it''s \"quoted\" $HOME' | tr -d '\\n'": 'its "quoted" $HOME',
        "cat": "",
        "syntax (": "absent",
        **{f"sleep 1; echo {n}": str(n) for n in range(5)},
    }
    began = time.monotonic()
    replies = await LocalHost().probe([Fact("shell", snippet) for snippet in snippets])
    assert [replies[Fact("shell", s)] for s in snippets] == list(snippets.values())
    assert time.monotonic() - began < 4.5


async def test_python_files_share_an_interpreter_and_nothing_else(tmp_path: Path) -> None:
    replies = {
        "import sys; print(*sys.argv[1:]); print('two')": "a b c",
        "raise SystemExit(0)": "",
        "print('x'); raise SystemExit('no')": "absent",
        "import json; json.loads = None; print(1)": "1",
        "import json; print(json.loads('2'), end='')": "2",
        "raise ValueError": "absent",
        "import os; os.kill(os.getpid(), 9)": "absent",
        "syntax (": "absent",
        **{f"import time; time.sleep(1); print({n})": f"{n}" for n in range(5)},
    }
    facts: dict[Fact, str] = {}
    for number, (code, reply) in enumerate(replies.items()):
        (tmp_path / f"{number} file").write_text(code)
        facts[Fact("python", f"'{tmp_path}/{number} file' a 'b c'")] = reply
    facts[Fact("python", "/no/such/file")] = "absent"
    facts[Fact("shell", "echo both")] = "both"
    began = time.monotonic()
    assert await LocalHost().probe(list(facts)) == facts
    assert time.monotonic() - began < 4.5


async def test_packages_are_installed_or_absent() -> None:
    replies = await LocalHost().probe([Fact("package", "dpkg"), Fact("package", "no-such-package")])
    assert replies[Fact("package", "dpkg")][0].isdigit()
    assert replies[Fact("package", "no-such-package")] == "absent"


def reply(*records: str) -> str:
    return "welcome\n\0" + "\0".join([probe.HEADER, *records, ".", ""])


def test_units_are_loaded_or_lie_in_files() -> None:
    shown = (
        "a.service loaded active running A daemon\nd.mount loaded failed failed /d\ne.service masked inactive dead E\n"
        "\n"
        "a.service enabled disabled\nb.service masked enabled\nc.timer   static -\ne.service masked enabled\n"
    )
    wanted = {
        "a.service": "active enabled",
        "b.service": "inactive masked",
        "c.timer": "inactive static",
        "d.mount": "failed loaded",
        "e.service": "inactive masked",
        "f.service": "inactive not-found",
    }
    facts = [Fact("unit", name) for name in wanted]
    assert {fact.subject: state for fact, state in probe.replies(facts, reply(f"U{shown}")).items()} == wanted
    none = probe.replies([Fact("unit", "b.service")], reply("U\nb.service disabled enabled\n"))
    assert none == {Fact("unit", "b.service"): "inactive disabled"}


def test_without_systemd_a_unit_is_neither_running_nor_stopped() -> None:
    assert probe.replies([Fact("unit", "a")], reply("U")) == {Fact("unit", "a"): "unknown unknown"}


def test_only_a_complete_package_counts() -> None:
    facts = [Fact("package", name) for name in ("whole", "held", "half", "gone")]
    listed = "ii  whole 1.2-3\nhi  held 1.1\niF  half 1.0\nrc  gone 1.0\n"
    assert list(probe.replies(facts, reply(f"K{listed}")).values()) == ["1.2-3", "1.1", "absent", "absent"]


@pytest.mark.parametrize("output", ["", "welcome\n", f"\0{probe.HEADER}\0U", f"\0{probe.HEADER}\0Sx\0"])
def test_half_a_reply_is_refused(output: str) -> None:
    with pytest.raises(probe.GarbledError):
        probe.replies([], output)


# Steps


async def test_steps_are_carried_out_in_order(run_directory: Path, tmp_path: Path) -> None:
    content = bytes(range(256)) * 10 + b"\n\n"
    done = await perform(
        put(tmp_path / "new" / "odd name\n'$x'", content, 0o640),
        Run(f"cat > '{tmp_path}/secret'", stdin="two\n\nlines\n\n"),
        Run(f"echo ran >> '{tmp_path}/log'", stdin="ignored" * 50_000),
        put(tmp_path / "log2", b""),
    )
    assert [d.status for d in done] == [0, 0, 0, 0]
    written = tmp_path / "new" / "odd name\n'$x'"
    assert written.read_bytes() == content
    assert written.stat().st_mode & 0o7777 == 0o640
    assert (tmp_path / "secret").read_text() == "two\n\nlines\n\n"
    assert [p.name for p in (tmp_path / "new").iterdir()] == [written.name]


async def test_a_failure_ends_the_run_and_tells_what_was_said(run_directory: Path, tmp_path: Path) -> None:
    done = await perform(Run("echo out; echo err >&2; false; echo never"), Run(f"touch {tmp_path}/next"))
    assert done == [Done(1, "out\nerr")]
    assert not (tmp_path / "next").exists()


async def test_checks_go_on_after_a_failure(run_directory: Path) -> None:
    assert [d.status for d in await perform(Run("exit 4"), Run("true"), keep_going=True)] == [4, 0]


async def test_a_step_that_takes_too_long_is_ended(run_directory: Path) -> None:
    (done,) = await perform(Run("sleep 60", timeout=0.3))
    assert done.status == 124
    assert "timed out after 0.3 s" in done.output


async def test_a_file_that_cannot_be_written_leaves_nothing_behind(run_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "etc" / "place").mkdir(parents=True)
    (done,) = await perform(put(tmp_path / "etc" / "place", b"x"))
    assert done.status
    assert "place" in done.output
    assert [p.name for p in (tmp_path / "etc").iterdir()] == ["place"]


async def test_a_leftover_that_an_attacker_placed_is_not_followed(run_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "content").write_text("precious")
    (tmp_path / ".fournines.file").symlink_to("victim")
    (done,) = await perform(put(tmp_path / "file", b"new"))
    assert done.status == 0
    assert (tmp_path / "victim" / "content").read_text() == "precious"
    assert not (tmp_path / "file").is_symlink()


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """A directory of a service: another user than root writes to it."""
    directory = tmp_path / "service"
    directory.mkdir()
    directory.chmod(0o777)
    (tmp_path / "etc").mkdir(mode=0o755)
    return directory


@pytest.mark.parametrize("below", ["", "/deeper"])
async def test_a_link_that_a_service_made_leads_root_nowhere(run_directory: Path, owned: Path, below: str) -> None:
    victim = owned.parent / "etc"
    (owned / "data").symlink_to(victim)
    mode = victim.stat().st_mode
    path = f"{owned}/data{below}"
    for step in (MakeDirectory(path, 0o777, ME, GROUP), put(Path(f"{path}/file"), b"ours")):
        (done,) = await perform(step)
        assert done.status == 1
        assert f"{owned}/data is a symbolic link" in done.output
        assert "mount" in done.output
    assert list(victim.iterdir()) == []
    assert victim.stat().st_mode == mode


async def test_a_refused_file_leaves_the_next_step_in_place(run_directory: Path, owned: Path) -> None:
    (owned / "data").symlink_to(owned.parent / "etc")
    done = await perform(put(owned / "data" / "file", b"run 1 4 0\nexit"), Run("echo next"), keep_going=True)
    assert done[0].status == 1
    assert done[1] == Done(0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="of directories that root alone writes to")
async def test_a_link_that_only_root_can_have_made_is_followed(run_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to("disk")
    done = await perform(
        MakeDirectory(str(tmp_path / "data" / "images"), 0o750, ME, GROUP), put(tmp_path / "data" / "f", b"x")
    )
    assert [d.status for d in done] == [0, 0]
    assert (tmp_path / "disk" / "images").stat().st_mode & 0o7777 == 0o750
    assert (tmp_path / "disk" / "f").read_bytes() == b"x"


async def test_a_directory_has_its_own_mode_and_not_the_set_group_id_of_the_one_above(
    run_directory: Path, tmp_path: Path
) -> None:
    """Debian's /etc/valkey hands its bit down: every later plan would find the mode changed."""
    parent = tmp_path / "valkey"
    parent.mkdir()
    parent.chmod(0o2770)
    (done,) = await perform(MakeDirectory(str(parent / "fournines"), 0o750, ME, GROUP))
    assert done == Done(0, "")
    assert (parent / "fournines").stat().st_mode & 0o7777 == 0o750


async def test_half_a_file_gets_no_name(run_directory: Path, tmp_path: Path) -> None:
    """The other machine was lost in the middle of it."""
    whole = requests.request([put(tmp_path / "file", b"0123456789")], keep_going=False)
    shell = await asyncio.create_subprocess_exec(
        "sh", "-c", requests.SCRIPT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    await shell.communicate(whole[:-3])
    assert not (tmp_path / "file").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


async def test_the_next_run_waits_for_the_last_step_of_one_that_was_cut(run_directory: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = LocalHost().perform([Run(f"sleep 1.5; echo first >> {log}"), Run(f"echo never >> {log}")])
    first = asyncio.create_task(anext(running))
    while not (run_directory / "steps.lock").exists():
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await perform(Run(f"echo second >> {log}"))
    assert log.read_text().split() == ["first", "second"]


async def test_put_raises_when_it_fails(run_directory: Path, tmp_path: Path) -> None:
    await LocalHost("here").put(f"{tmp_path}/a", b"x", mode=0o600, owner=ME, group=GROUP)
    with pytest.raises(HostError, match="cannot be written"):
        await LocalHost("here").put(f"{tmp_path}/a", b"x", mode=0o600, owner="no-such-user", group=GROUP)
    assert (tmp_path / "a").read_bytes() == b"x"


# Lock


@pytest.fixture
async def held(run_directory: Path) -> AsyncIterator[None]:
    async with LocalHost("here").lock("ann@desk pid 7 since noon"):
        yield


async def test_the_second_is_refused_and_told_who_holds_it(held: None) -> None:
    with pytest.raises(LockedError, match="another run holds here") as caught:
        async with LocalHost("here").lock("bob"):
            pass
    assert caught.value.why == "ann@desk pid 7 since noon"


async def test_the_lock_is_free_again(run_directory: Path) -> None:
    for owner in ("ann", "bob"):
        async with LocalHost().lock(owner):
            pass


#: On how many command lines a marker stands; that of `grep` itself is not among them.
_SEEN = "grep -al 'MAR[K]ER-{}' /proc/[0-9]*/cmdline 2>/dev/null | wc -l"


async def test_what_is_run_is_on_no_command_line() -> None:
    """Any user of the host may read those; a check may hold the digest of a password."""
    snippet = f": MARKER-probe; {_SEEN.format('probe')}"
    replies = await LocalHost().probe([Fact("shell", snippet)])
    assert replies[Fact("shell", snippet)] == "0"
    script = f": MARKER-step; [ $({_SEEN.format('step')}) = 0 ]"
    assert [done.status for done in await perform(Run(script))] == [0]
    seen = await asyncio.create_subprocess_exec("sh", "-c", f": MARKER-seen; [ $({_SEEN.format('seen')}) != 0 ]")
    assert await seen.wait() == 0, "a command line would be seen"

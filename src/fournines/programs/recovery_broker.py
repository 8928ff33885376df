"""Runs on a host: what `fournines recover` does to its RabbitMQ. Each may be repeated.

    halt STAMP             stops it, and keeps a copy of what it has on disk, /var/lib/rabbitmq/mnesia.kept-STAMP
    alone NODE…            goes on without these nodes, which are lost: it starts by itself
    force                  starts it, whoever stopped after it
    start                  starts it, and waits until it serves
    shrink                 queues of which the majority of copies is lost go on with the most advanced one that is left
    aside STAMP            what it has on disk goes there, so that it joins the others as a new node

`halt` comes before `alone`, on every host that is left. Needs nothing of other hosts' programs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

UNIT = "rabbitmq-server.service"
DATA = Path("/var/lib/rabbitmq/mnesia")
#: Says that the node has copies of the queues that were there when it joined (`services.rabbitmq.GROWN`).
GROWN = Path("/var/lib/fournines/rabbitmq-grown")
#: Seconds for a node to start, and for one command to it.
STARTS, COMMAND = 150.0, 120.0

#: Per queue: members, those that are there, and, where those are no majority, the one whose log is longest becomes the
#: only member (rabbit_quorum_queue:force_shrink_member_to_current_member/2, since 3.12). Those of which every node is
#: lost are deleted. One stream cannot be shrunk so: those without a majority are deleted, and their clients declare
#: them anew. The streams' coordinator is a group of its own, shrunk first. Answers {shrunk, streams, nowhere}.
SHRINK = """
Running = rabbit_nodes:list_running(),
Nodes = fun(Q) -> maps:get(nodes, amqqueue:get_type_state(Q), []) end,
There = fun(Q, N) ->
  lists:member(N, Running) andalso (amqqueue:get_type(Q) =/= rabbit_quorum_queue orelse
    is_pid(catch erpc:call(N, erlang, whereis, [element(1, amqqueue:get_pid(Q))], 5000)))
end,
Left = fun(Q) -> [N || N <- Nodes(Q), There(Q, N)] end,
Lost = fun(Q) -> Nodes(Q) =/= [] andalso 2 * length(Left(Q)) =< length(Nodes(Q)) end,
Index = fun(Name, Node) ->
  case catch erpc:call(Node, ra, key_metrics, [{Name, Node}], 5000) of
    #{last_index := Last} when is_integer(Last) -> Last;
    _ -> -1
  end
end,
Coordinator = rabbit_stream_coordinator,
case whereis(Coordinator) of
  undefined -> ok;
  _ ->
    case catch ra:members({Coordinator, node()}, 5000) of
      {ok, _, _} -> ok;
      _ -> catch ra_server_proc:force_shrink_members_to_current_member({Coordinator, node()})
    end
end,
Shrunk = [begin
    {resource, VHost, queue, Name} = amqqueue:get_name(Q),
    {RaName, _} = amqqueue:get_pid(Q),
    {_, Best} = lists:max([{Index(RaName, N), N} || N <- Left(Q)]),
    erpc:call(Best, rabbit_quorum_queue, force_shrink_member_to_current_member, [VHost, Name], 60000)
  end || Q <- rabbit_amqqueue:list_by_type(rabbit_quorum_queue), Lost(Q), Left(Q) =/= []],
Nowhere = [rabbit_amqqueue:internal_delete(Q, <<"fournines">>)
  || Q <- rabbit_amqqueue:list_by_type(rabbit_quorum_queue),
    Nodes(Q) =/= [], not lists:any(fun(N) -> lists:member(N, Running) end, Nodes(Q))],
Deleted = [begin
    case catch rabbit_amqqueue:delete(Q, false, false, <<"fournines">>) of
      {ok, _} -> ok;
      _ -> catch rabbit_amqqueue:internal_delete(Q, <<"fournines">>)
    end
  end || Q <- rabbit_amqqueue:list_by_type(rabbit_stream_queue), Lost(Q)],
{length(Shrunk), length(Deleted), length(Nowhere)}.
"""


def main(words: list[str]) -> None:
    match words:
        case ["halt", stamp]:
            halt(stamp)
        case ["alone", *nodes] if nodes:
            alone(nodes)
        case ["force"]:
            if not khepri() and not serves():
                rabbitmqctl("force_boot")
            start()
        case ["start"]:
            start()
        case ["shrink"]:
            print(rabbitmqctl("eval", SHRINK))
        case ["aside", stamp]:
            aside(stamp)
        case _:
            sys.exit(__doc__)


def kept(stamp: str) -> Path:
    return DATA.with_name(f"{DATA.name}.kept-{stamp}")


def stop() -> None:
    """A node that waits for others does not hear `rabbitmqctl stop`: its processes are ended after a while."""
    subprocess.run(["systemctl", "stop", UNIT], capture_output=True, timeout=COMMAND, check=False)


def halt(stamp: str) -> None:
    stop()
    target, making = kept(stamp), DATA.with_name(f"{DATA.name}.keeping")
    if target.exists() or not DATA.exists():
        return
    shutil.rmtree(making, ignore_errors=True)
    done = subprocess.run(["cp", "-a", str(DATA), str(making)], capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(making, ignore_errors=True)
        sys.exit(f"no copy of {DATA} can be kept: {done.stderr.strip()}")
    making.rename(target)


def alone(nodes: list[str]) -> None:
    """With Mnesia the members change while the node is stopped; with Khepri while it waits for a majority."""
    if khepri():
        begin()
        deadline = time.monotonic() + STARTS
        while (said := ctl("force_standalone_khepri_boot")).returncode:
            if time.monotonic() > deadline:
                sys.exit(f"its metadata store does not go on by itself: {(said.stderr or said.stdout).strip()}")
            time.sleep(1.0)
        await_start()
    else:
        if not serves():
            told = [ctl("forget_cluster_node", "--offline", node).returncode for node in nodes if node in known()]
            if any(told):
                rabbitmqctl("force_boot")  # then it waits for nobody, and forgets them once it runs
        start()
    for node in nodes:
        if node in named(rabbitmqctl("eval", "rabbit_nodes:list_members().")):
            rabbitmqctl("eval", SHRINK)  # first: to forget asks the lost members of each queue, and waits for them
            rabbitmqctl("forget_cluster_node", node)


def khepri() -> bool:
    """Which of the two stores has the cluster's metadata; new clusters have Khepri from 4.2 on."""
    return any("khepri_db" in path.read_text(errors="replace") for path in DATA.glob("rabbit@*-feature_flags"))


def known() -> set[str]:
    """The members, as the node has last seen them."""
    return named("".join(path.read_text(errors="replace") for path in DATA.glob("rabbit@*/cluster_nodes.config")))


def named(text: str) -> set[str]:
    """Nodes in an Erlang term; some names stand in quotes."""
    return set(re.findall(r"rabbit@[A-Za-z0-9._-]+", text))


def begin() -> None:
    subprocess.run(["systemctl", "reset-failed", UNIT], capture_output=True, check=False)
    subprocess.run(["systemctl", "start", "--no-block", UNIT], capture_output=True, check=True)


def start() -> None:
    begin()
    await_start()


def await_start() -> None:
    deadline = time.monotonic() + STARTS
    while not serves():
        if time.monotonic() > deadline:
            sys.exit(f"RabbitMQ does not start within {STARTS:g} s: journalctl -u rabbitmq-server -n 50 says why")
        time.sleep(1.0)


def serves() -> bool:
    words = ["rabbitmq-diagnostics", "-q", "--timeout", "10", "check_running"]
    try:
        return subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def aside(stamp: str) -> None:
    stop()
    if not kept(stamp).exists() and DATA.exists():
        if os.path.ismount(DATA):
            sys.exit(f"{DATA} is a file system of its own: copy it elsewhere, empty it, then the same command again")
        DATA.rename(kept(stamp))
    GROWN.unlink(missing_ok=True)


def ctl(*words: str) -> subprocess.CompletedProcess[str]:
    argv = ["rabbitmqctl", "-q", "--timeout", str(round(COMMAND)), *words]
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND + 30, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 1, "", f"rabbitmqctl {words[0]} does not end")


def rabbitmqctl(*words: str) -> str:
    """What it says. Raises SystemExit with its complaint."""
    done = ctl(*words)
    if done.returncode:
        sys.exit(f"rabbitmqctl {words[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])

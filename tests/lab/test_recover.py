"""Two of three controllers are lost for good: the third goes on alone, killed once in a stage drawn by chance."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fournines import lab
from fournines.lab.state import LABS
from lab.conftest import Run, client, healthy, write_cloud
from lab.test_drain import killed

SEED = int(os.environ.get("FOURNINES_SEED", "7"))
NAME, BLOCK = "test-recover", 22
#: From the first change of a host to the last one before it serves.
STAGES = ["database", "broker-halt", "broker", "queues", "agent", "rabbitmq"]
#: Seconds after the yes, the interruption included; without one it is 120.
WITHIN = 180.0


#: A quorum queue of the default vhost, through the management API of the host's broker: `send` makes it and puts twenty
#: messages in, `count` says how many it holds.
_QUEUE = """
import base64, json, ssl, sys, urllib.request
told = json.load(open("/etc/fournines/rabbitmq-api.json"))
login = base64.b64encode(f"{told['user']}:{told['password']}".encode()).decode()
def call(path, method="GET", body=None):
    head = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{told['url']}/{path}", data, head, method=method)
    trust = ssl.create_default_context(cafile=told["cafile"]) if told["cafile"] else None
    with urllib.request.urlopen(request, context=trust) as reply:
        text = reply.read()
    return json.loads(text) if text else None
if sys.argv[1] == "send":
    call("queues/%2F/kept", "PUT", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
    message = {"properties": {"delivery_mode": 2}, "routing_key": "kept", "payload": "x", "payload_encoding": "string"}
    print(sum(call("exchanges/%2F/amq.default/publish", "POST", message)["routed"] for _ in range(20)))
else:
    body = {"count": 50, "ackmode": "ack_requeue_true", "encoding": "auto"}
    print(len(call("queues/%2F/kept/get", "POST", body)))
"""


@pytest.fixture
def three(tmp_path: Path, fournines: Run) -> Iterator[Path]:
    lab.down(NAME)
    path = write_cloud(tmp_path, NAME, BLOCK, hosts=3)
    fournines("lab", "up", path)
    try:
        fournines("apply", path, "--yes")
        yield path
    finally:
        lab.down(NAME)


def asked(fournines: Run, script: str) -> str:
    return fournines("lab", "ssh", f"{NAME}/r1", script).stdout.strip()


def messages(fournines: Run, what: str) -> int:
    return int(asked(fournines, f"python3 -c {shlex.quote(_QUEUE)} {what}"))


def lost(*hosts: str) -> None:
    """Off, and their disks gone."""
    for host in hosts:
        lab.power(NAME, host, "off")
    for host in hosts:
        shutil.rmtree(LABS / NAME / "hosts" / host)


def test_two_of_three_are_lost_for_good(three: Path, fournines: Run) -> None:
    healthy(three, fournines)
    openstack = client(three)
    for number in range(20):
        openstack("project", "create", f"kept-{number}")
    assert messages(fournines, "send") == 20

    refused = fournines("recover", three, "--gone", "r2,r3", "--yes", ok=False)
    assert refused.returncode == 1
    assert "r2 is not gone" in refused.stderr
    assert "Nothing has to be recovered" in fournines("recover", three).stdout

    lost("r2", "r3")
    time.sleep(15)
    said = fournines("status", three, ok=False).stdout
    assert "fournines recover" in said
    found = fournines("recover", three, ok=False)
    assert found.returncode == 1
    assert "--gone r2,r3" in found.stdout
    assert not asked(fournines, "ls -d /var/lib/rabbitmq/mnesia.kept-* /var/lib/fournines/recover* 2>/dev/null || true")

    began = time.monotonic()
    killed("recover", str(three), "--gone", "r2,r3", "--yes", after=random.Random(SEED).choice(STAGES))
    fournines("recover", three, "--yes", timeout=1200)
    spent = time.monotonic() - began
    print(f"recovered {spent:.0f} s after the yes")

    text = three.read_text()
    assert "r2:" not in text
    assert [p for p in three.parent.iterdir() if ".kept-" in p.name], "a copy of the cloud file stays"
    assert asked(fournines, "ls -d /var/lib/rabbitmq/mnesia.kept-*")
    healthy(three, fournines)
    names = {project["Name"] for project in openstack("project", "list")}
    assert {f"kept-{number}" for number in range(20)} <= names
    assert messages(fournines, "count") == 20
    assert fournines("plan", three, "--exit-code", ok=False).returncode == 0
    assert "Nothing has to be recovered" in fournines("recover", three).stdout
    assert spent <= WITHIN

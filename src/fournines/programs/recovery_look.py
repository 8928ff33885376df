"""Runs on a host, with Python's own library alone: what `fournines recover` has to know of it, as one JSON document.
Changes nothing.

The argument: {"host": its name, "carries": services, "tables": [DATABASE.TABLE, …], "gone": {host: [address, …]}}:
`gone` are hosts that somebody says are lost. What the host does not carry is null.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

OBSERVER = Path("/etc/fournines/observer.json")
MARKER = Path("/var/lib/fournines/recovery.json")
DATABASE = Path("/var/lib/mysql")
BROKER = Path("/var/lib/rabbitmq/mnesia")
KEYS = {"fernet": Path("/etc/keystone/fernet-keys"), "credential": Path("/etc/keystone/credential-keys")}
RINGS = Path("/etc/swift")
#: Something listens on one of them on every host of a control plane; a kernel that is alive refuses the others.
PORTS = (22, 4567, 9200, 25672)
#: Seconds within which a host that is alive answers.
ANSWERS = 1.0

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
#: What InnoDB, and galera-start for it, say of data that cannot be read (seen with MariaDB 11.8: ibdata1, the log and a
#: table overwritten; ibdata1 removed).
DAMAGED = re.compile(
    r"\[ERROR\] InnoDB: .*(corrupt|aborted with error|checksum|is in the future|Cannot (open|read)|"
    r"Inconsistent tablespace|not find a valid tablespace|should be \[page id|Unsupported redo log)|"
    r"Plugin 'InnoDB' .*failed|Unknown/unsupported storage engine: InnoDB|--wsrep-recover found no position|"
    r"\[ERROR\] .*(Aria|aria_log).*(corrupt|recover|failed)|\[ERROR\] .*Can't open and lock privilege tables",
    re.IGNORECASE,
)
#: What RabbitMQ says when it does not form a cluster with what it has on disk (rabbit_mnesia, rabbit_khepri).
REFUSES = re.compile(
    r"inconsistent_cluster|thinks it'?s clustered|disagrees|timeout_waiting_for_(tables|khepri|leader)|"
    r"schema_integrity_check_failed|failed_to_load_tables|corrupt|bad_magic|Failed to (start|load) Ra|"
    r"cannot_(open|read)|incompatible_feature_flags",
    re.IGNORECASE,
)


def main() -> None:
    asked = json.loads(sys.argv[1])
    carries = asked["carries"]
    document = {
        "cloud": cloud(),
        "marker": read(MARKER),
        "alive": alive(asked["gone"]),
        "database": database(asked["tables"]) if "mariadb" in carries else None,
        "broker": broker(asked["host"]) if "rabbitmq" in carries else None,
        "keys": {kind: keys(path) for kind, path in KEYS.items()} if "keystone" in carries else None,
        "rings": rings() if {"swift", "swift_storage"} & set(carries) else None,
    }
    print(json.dumps(document))


def read(path: Path) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text())
    return None


def cloud() -> str:
    """The one whose observer is installed here; "" where there is none."""
    said = read(OBSERVER)
    return str(said.get("cloud", "")) if isinstance(said, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def run(*words: str, within: float = 20.0) -> str:
    """What it says; "" when it fails or is not there."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=within, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def unit(name: str) -> str:
    """`ActiveState/SubState`."""
    said = run("systemctl", "show", "-p", "ActiveState", "-p", "SubState", name)
    found = {key: value for key, _, value in (line.partition("=") for line in said.splitlines())}
    return f"{found.get('ActiveState', '')}/{found.get('SubState', '')}"


def said(name: str, pattern: re.Pattern[str], since: str) -> list[str]:
    """The last few different lines of a unit's journal that match."""
    text = run("journalctl", "-u", name, "--since", since, "-o", "cat", "--no-pager", "-n", "2000")
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if pattern.search(line)))[-5:]


def size(path: Path) -> int:
    """Bytes on disk of what lies below."""
    words = run("du", "-sxk", str(path), within=60.0).split()
    return int(words[0]) << 10 if words else 0


def free(path: Path) -> int:
    """Bytes of its file system that are free for anybody."""
    with contextlib.suppress(OSError):
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize
    return 0


# Hosts that are said to be lost


def alive(gone: dict[str, list[str]]) -> dict[str, str]:
    """Those that answer this host, and by what. A refused connection is an answer."""
    asked = [(host, address) for host, addresses in gone.items() for address in addresses]
    if not asked:
        return {}
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(answer, [address for _, address in asked]))
    return {host: by for (host, _), by in zip(asked, answers, strict=True) if by}


def answer(address: str) -> str:
    with ThreadPoolExecutor(len(PORTS) + 1) as pool:
        tries = [pool.submit(knock, address, port) for port in PORTS] + [pool.submit(echo, address)]
        return next((found for t in tries if (found := t.result())), "")


def knock(address: str, port: int) -> str:
    try:
        socket.create_connection((address, port), ANSWERS).close()
    except ConnectionRefusedError:
        return f"{address} refuses TCP {port}, so its kernel runs"
    except OSError:
        return ""
    return f"{address} accepts TCP {port}"


def echo(address: str) -> str:
    """ICMP echo, which no package is needed for."""
    head = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, 1)
    total = sum(struct.unpack("!4H", head))
    total = (total >> 16) + (total & 0xFFFF)
    packet = head[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[4:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(ANSWERS)
        raw.connect((address, 0))
        raw.send(packet)
        while True:  # its own requests come back where it asks itself; a time-out ends it
            got = raw.recv(1024)
            if len(got) >= 28 and got[20] == 0 and got[24:26] == head[4:6]:
                return f"{address} answers a ping"
    return ""


# The database


def sql(statement: str) -> list[list[str]] | None:
    """None where mysqld does not answer."""
    words = ["mariadb", "--connect-timeout=5", "-N", "-B", "-e", statement]
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else [line.split("\t") for line in done.stdout.splitlines()]


def database(tables: Sequence[str]) -> dict[str, Any]:
    names = ("wsrep_cluster_status", "wsrep_local_state_comment", "wsrep_cluster_state_uuid", "wsrep_last_committed")
    quoted = ", ".join(f"'{name}'" for name in names)
    answer = sql(f"show global status where variable_name in ({quoted})")
    status = {row[0].lower(): row[1] for row in answer or () if len(row) > 1}
    saved = grastate()
    uuid, seqno = recovered() or (saved.get("uuid", ""), int(saved.get("seqno", -1)))
    if status:
        uuid, seqno = status.get(names[2], uuid), int(status.get(names[3], seqno))
    return {
        "unit": unit("mariadb.service"),
        "answers": answer is not None,
        "primary": status.get(names[0]) == "Primary",
        "state": status.get(names[1], ""),
        "cluster": "" if set(uuid) <= {"0", "-"} else uuid,
        "seqno": seqno,
        "saved": saved.get("uuid", ""),
        "written": written(),
        "rows": rows(tables) if answer is not None else {},
        "errors": [] if answer is not None else said("mariadb.service", DAMAGED, "-15min"),
        "data": (DATABASE / "ibdata1").exists(),
        "mount": os.path.ismount(DATABASE),
        "size": size(DATABASE),
        "free": free(DATABASE),
    }


def grastate() -> dict[str, str]:
    with contextlib.suppress(OSError):
        text = (DATABASE / "grastate.dat").read_text()
        return dict(re.findall(r"^(uuid|seqno|safe_to_bootstrap):\s*(\S+)\s*$", text, re.MULTILINE))
    return {}


def recovered() -> tuple[str, int] | None:
    """What galera-start found in InnoDB when it was started last; it says so while it waits."""
    if unit("mariadb.service") != "activating/start-pre":
        return None
    text = run("journalctl", "-u", "mariadb.service", "-b", "-o", "cat", "--no-pager", "-n", "2000")
    found = re.findall(rf"^position ({_UUID}|none):(-?\d+)$", text, re.MULTILINE)
    return (found[-1][0].replace("none", ""), int(found[-1][1])) if found else None


def written() -> float:
    """When a table of a service was last written to disk, seconds since the epoch; 0 where there is none."""
    own = ("mysql", "performance_schema", "sys", "fournines", "probe")
    return max((p.stat().st_mtime for p in DATABASE.glob("*/*.ibd") if p.parent.name not in own), default=0.0)


def rows(tables: Iterable[str]) -> dict[str, int]:
    """Of a node that is not Primary too: reading what may be old is what is wanted here."""
    found: dict[str, int] = {}
    for table in tables:
        database, _, name = table.partition(".")
        count = sql(f"set session wsrep_dirty_reads = on; select count(*) from `{database}`.`{name}`")  # noqa: S608  # names of our own
        if count:
            found[table] = int(count[0][0])
    return found


# The broker


def broker(host: str) -> dict[str, Any]:
    home = BROKER / f"rabbit@{host}"
    runs = serves()
    return {
        "unit": unit("rabbitmq-server.service"),
        "runs": runs,
        "members": members(home / "cluster_nodes.config"),
        "last": members(home / "nodes_running_at_shutdown"),
        "store": "khepri" if "khepri_db" in text(BROKER / f"rabbit@{host}-feature_flags") else "mnesia",
        "errors": [] if runs else said("rabbitmq-server.service", REFUSES, "-15min"),
        "data": home.is_dir(),
        "size": size(BROKER),
        "free": free(BROKER if BROKER.exists() else Path("/var/lib")),
    }


def serves() -> bool:
    words = ["rabbitmq-diagnostics", "-q", "--timeout", "15", "check_running"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(words, capture_output=True, timeout=25, check=False).returncode == 0
    return False


def text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""


def members(path: Path) -> list[str]:
    """Of a file with nodes' names as Erlang terms, `{[all],[on disk]}.` or `[running].`; atoms may stand in quotes."""
    return sorted(set(re.findall(r"rabbit@[A-Za-z0-9._-]+", text(path))))


# Keys and rings


def keys(path: Path) -> int:
    """How many keys lie in a repository of Keystone's: their names are numbers."""
    with contextlib.suppress(OSError):
        return sum(p.name.isdigit() and p.stat().st_size > 0 for p in path.iterdir())
    return 0


def rings() -> list[str]:
    """Of the ring files those that are not there, or are not what was made."""
    found = [n for n in ("account", "container", "object") if not (RINGS / f"{n}.ring.gz").exists()]
    words = ["sha256sum", "--check", "--status", "rings.sha256"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        good = subprocess.run(words, cwd=RINGS, capture_output=True, timeout=20, check=False).returncode == 0
        return found if good or found else ["rings.sha256"]
    return found or ["rings.sha256"]


if __name__ == "__main__":
    main()

"""The script that hosts run, on this machine; and what is made of its answer."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from fournines.engine.fake import FakeHost
from fournines.engine.transport import Completed
from fournines.errors import HostError
from fournines.health import usage_script
from fournines.health.usage import usage
from samples.toy import cloud

STATS = "# pxname,svname,scur,smax,\nmariadb,ctl1,1,2,\nkeystone,FRONTEND,9,9,\nmariadb,FRONTEND,135,160,\n\n"


class Host(FakeHost):
    """Answers as its host would."""

    def __init__(self, answer: Completed) -> None:
        super().__init__("a")
        self.answer, self.asked = answer, ""

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        self.asked = script
        compile(stdin, "usage_script.py", "exec")
        return self.answer


def test_memory_of_a_process_is_its_share(tmp_path: Path) -> None:
    (tmp_path / "smaps_rollup").write_text("Rss:  900 kB\nPss:  321 kB\nPss_Dirty: 7 kB\n")
    assert usage_script.pss_kib(tmp_path) == 321
    assert usage_script.pss_kib(tmp_path / "ended") == 0
    assert usage_script.pss_kib(Path(f"/proc/{os.getpid()}")) > 1000


def test_connections_to_a_port_are_counted_where_they_arrive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert usage_script.connections(port) == 0  # who listens is not connected
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            assert usage_script.connections(port) == 1


def test_sessions_are_the_frontends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "admin.sock"))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100) == b"show stat\n"
                connection.sendall(STATS.encode())

        thread = threading.Thread(target=answer)
        thread.start()
        assert usage_script.sessions(str(tmp_path / "admin.sock"), "mariadb") == [135, 160]
        thread.join()


async def test_an_answer_becomes_figures() -> None:
    document = {
        "cores": 2,
        "memory": 24 * 1024**3,
        "resident": 3 * 1024**3,
        "database": None,
        "bus": 7,
        "sessions": [1, 2],
    }
    host = Host(Completed(0, json.dumps(document), ""))
    (seen,) = await usage(cloud({"a": ("rabbitmq", "haproxy")}), {"a": host})
    assert (seen.size.cores, seen.size.memory, seen.resident) == (2, 24.0, 3.0)
    assert (seen.database, seen.bus, seen.sessions) == (None, 7, (1, 2))
    assert '"services": ["haproxy", "rabbitmq"]' in host.asked


async def test_a_host_that_cannot_say_is_an_error_that_names_it() -> None:
    host = Host(Completed(1, "", "Traceback …\nFileNotFoundError: mariadb\n"))
    with pytest.raises(HostError, match="what its services take") as caught:
        await usage(cloud({"a": ("mariadb",)}), {"a": host})
    assert (caught.value.where, caught.value.why) == ("a", "FileNotFoundError: mariadb")

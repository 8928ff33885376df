"""The REST API on a real lab: a power-off on its stream of events, and an apply by a job of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from fournines import lab
from fournines.cloud.model import Cloud
from lab.conftest import Run, healthy

#: Seconds from the power-off to the event. The guards declare a host dead within about half of it.
WITHIN = 1.5


class Api:
    def __init__(self, url: str, directory: Path) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(directory / "ca.pem")
        self.session.headers["authorization"] = f"Bearer {(directory / 'serve.token').read_text().strip()}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, self.url + path, json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def ended(self, job: dict[str, Any], within: float = 600.0) -> dict[str, Any]:
        deadline = time.monotonic() + within
        while (page := self.ask("GET", f"/v1/jobs/{job['id']}"))["job"]["state"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        return page

    def states(self) -> Iterator[tuple[float, dict[str, Any]]]:
        with self.session.get(f"{self.url}/v1/events", stream=True, timeout=60) as answer:
            name = ""
            for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: ") and name == "status":
                    yield time.monotonic(), json.loads(line[6:])


@pytest.fixture
def api(cloud: Cloud, cloud_file: Path, fournines: Run) -> Iterator[Api]:
    healthy(cloud_file, fournines)
    program = "import sys; from fournines.cli.main import main; sys.argv = sys.argv[1:]; main()"
    words = [sys.executable, "-c", program, "fournines", "serve", str(cloud_file), "--listen", "127.0.0.1:18449"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout
            found = re.match(r"https://\S+", serving.stdout.readline())
            assert found
            yield Api(found[0], cloud.state_dir)
        finally:
            serving.terminate()
            assert serving.wait(20) in (0, -15)
    healthy(cloud_file, fournines)


def test_a_power_off_is_on_the_stream_of_events(api: Api, cloud: Cloud) -> None:
    off: list[float] = []

    def press(host: str) -> None:
        off.append(time.monotonic())
        lab.power(cloud.name, host, "off")

    pressing: threading.Thread | None = None
    victim = ""
    try:
        for at, state in api.states():
            if pressing is None:
                if state["ready"] and state["healthy"]:
                    (victim,) = state["regions"][0]["vip_holders"]
                    pressing = threading.Thread(target=press, args=(victim,))
                    pressing.start()
            elif any(p["where"] == victim for p in state["problems"]):
                assert victim not in state["regions"][0]["vip_holders"]
                assert at - off[0] < WITHIN
                break
    finally:
        if pressing:
            pressing.join()
            lab.power(cloud.name, victim, "on")


def test_a_plan_and_its_apply_are_jobs(api: Api) -> None:
    planned = api.ended(api.ask("POST", "/v1/plan", {}))
    assert planned["result"]["failures"] == {}
    applied = api.ended(api.ask("POST", "/v1/apply", {"plan": planned["job"]["id"]}))
    assert applied["job"]["state"] == "done", applied
    assert api.ended(api.ask("POST", "/v1/plan", {}))["result"]["plan"]["empty"]

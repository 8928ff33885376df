"""`prove` on a real control plane: what it promises to leave behind, and that nothing acknowledged is lost.

Seconds are for `prove` itself to judge: these tests pass on a machine of any speed.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fournines import lab
from fournines.cloud.model import Cloud
from fournines.commands.prove_real_hosts import FirewallNetwork
from fournines.engine import SshOptions
from fournines.engine.ssh import connect_host
from fournines.prove.faults.powers import Drop
from fournines.prove.reach import Reach
from fournines.prove.suites import suite
from lab.conftest import Run, healthy


@pytest.fixture(autouse=True)
def whole(cloud_file: Path, cloud: Cloud, fournines: Run) -> Iterator[None]:
    """Each test finds every host on and the cloud healthy, and leaves every host on."""
    lab.resume(cloud.name)
    healthy(cloud_file, fournines)
    yield
    lab.resume(cloud.name)


def prove(fournines: Run, path: Path, faults: str, *more: str) -> dict[str, Any]:
    argv = ["prove", path, "--faults", faults, "--json", "--before", "5", "--redundant-within", "180", *more]
    done = fournines(*argv, ok=False)
    assert done.returncode in (0, 1, 2), done.stderr
    document = json.loads(done.stdout)
    assert done.returncode == {"pass": 0, "fail": 1, "unknown": 2}[document["verdict"]]
    return document


def test_faults_are_measured_healed_and_nothing_is_lost(cloud_file: Path, fournines: Run) -> None:
    document = prove(fournines, cloud_file, "host.power_off@vip/5s,service.kill@mariadb+all,service.freeze@rabbitmq/5s")
    faults = document["faults"]
    for fault in faults:
        whole_and_nothing_lost(fault)
        assert fault["writes"]["kinds"].keys() == {"projects", "rows", "messages"}
    assert len(faults[1]["host"].split(",")) == 3
    again = json.loads(fournines("prove", cloud_file, "--analyse", "latest", "--json", ok=False).stdout)
    assert again == document


def whole_and_nothing_lost(fault: dict[str, Any]) -> None:
    assert not fault["not_measured"], fault
    assert fault["redundant_again_s"] is not None, fault["reasons"]
    assert {writes["lost"] for writes in fault["writes"]["kinds"].values()} == {0}
    assert fault["writes"]["acknowledged"] > 0
    assert [finding for finding in fault["audit"] if finding["ok"] is False] == []
    assert all(figures["ok"] for figures in fault["functions"].values())


def test_two_faults_of_the_suite_standard(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    """Others each day; `--suite standard` has them all."""
    today = random.Random(datetime.now(UTC).date().toordinal())
    drawn = today.sample([str(fault) for fault in suite("standard", cloud)], 2)
    for fault in prove(fournines, cloud_file, ",".join(drawn))["faults"]:
        whole_and_nothing_lost(fault)


def test_the_vip_is_seen_to_move(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    fault = prove(fournines, cloud_file, "network.isolate@vip/5s")["faults"][0]
    run = max((cloud.state_dir / "runs").iterdir())
    events = [json.loads(line) for line in next(run.glob("01-*/events.jsonl")).read_text().splitlines()]
    holders = [e["data"]["holders"] for e in events if e["name"] == "sighting" and e["data"]["vip"] == "public"]
    assert holders[0] == [fault["host"]]
    assert any(holder and holder != holders[0] for holder in holders)


def test_strikes_are_seen_and_cuts_have_their_length(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    wanted = "network.isolate@one/0.5s,network.deaf@one/2s,service.crash_loop@observer+one/3s,host.freeze@one/3s"
    faults = prove(fournines, cloud_file, wanted, "--functions", "validate,write_row", "--force")["faults"]
    audits = [{finding["name"]: finding["detail"] for finding in fault["audit"]} for fault in faults]
    assert [fault["not_measured"] for fault in faults] == [None] * 4
    assert all("the strike was seen from outside" in audit for audit in audits)
    length = float(re.search(r"cut for ([\d.]+) s", audits[0]["the strike was seen from outside"])[1])  # type: ignore[index]
    assert 0.5 <= length < 0.6
    assert not any(lab.isolated(cloud.name, host.name) or lab.is_frozen(cloud.name, host.name) for host in cloud.hosts)


def test_a_host_that_loses_packets_by_itself_gets_them_back_by_itself(cloud: Cloud) -> None:
    """As on hosts that are no lab's: over SSH, which goes on, and with a timer that needs nobody."""
    host, network = cloud.hosts[2].name, "management"

    async def strike() -> None:
        reach = Reach(lambda name: connect_host(cloud.host_by_name[name], SshOptions()))
        firewall = FirewallNetwork(cloud.hosts, reach)
        try:
            assert not await firewall.is_cut(host, network)
            assert await firewall.isolate(host, network, 3.0)
            assert await firewall.dropped(host, network) > 0
            await asyncio.sleep(4.0)
            assert not await firewall.is_cut(host, network)
            length = await firewall.join(host, network)
            assert length is not None and 3.0 <= length < 3.5
            await firewall.drop(host, network, [Drop("in", percent=50), Drop("out", match="ip protocol 112")])
            await asyncio.sleep(1.0)
            assert await firewall.dropped(host, network) > 0
            await firewall.pass_all(host, network)
        finally:
            await firewall.pass_all(host, network)
            await reach.close()

    asyncio.run(strike())


def test_calm_counts_what_happens_all_the_same(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    argv = [str(Path(sys.executable).with_name("fournines")), "prove", str(cloud_file), "--calm", "30s", "--json"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stdout is not None
        next(line for line in process.stderr if "calm, " in line)
        fournines("lab", "ssh", f"{cloud.name}/{cloud.hosts[1].name}", "systemctl restart memcached")
        said = json.loads(process.stdout.read())
        assert process.wait(60) == 1
    counts = {count["what"]: count for count in said["counts"]}
    assert counts["daemons restarted"]["count"] == 1
    assert counts["daemons restarted"]["detail"] == f"{cloud.hosts[1].name} memcached.service"
    assert {count["count"] for count in said["counts"]} <= {0, 1}


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_campaign_heals_what_it_struck(cloud_file: Path, cloud: Cloud, sign: signal.Signals) -> None:
    argv = [str(Path(sys.executable).with_name("fournines")), "prove", str(cloud_file)]
    argv += ["--faults", "host.power_off@one/120s", "--before", "1"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        struck = next(line.split("strikes ")[1].split()[0] for line in process.stderr if "strikes" in line)
        time.sleep(2.0)
        assert not lab.is_on(cloud.name, struck)
        process.send_signal(sign)
        assert process.wait(60) == 130, process.stderr.read()
    assert lab.is_on(cloud.name, struck)
    assert not (cloud.state_dir / "unhealed.json").exists()


def test_a_killed_campaign_is_healed_by_the_next(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    argv = [str(Path(sys.executable).with_name("fournines")), "prove", str(cloud_file)]
    argv += ["--faults", "host.power_off@one/120s", "--before", "1"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        struck = next(line.split("strikes ")[1].split()[0] for line in process.stderr if "strikes" in line)
        time.sleep(1.0)
        process.kill()
    # It refuses to measure a cloud that is not whole yet; what was left off is on again by then.
    done = fournines("prove", cloud_file, "--faults", "service.kill@memcached", ok=False)
    assert f"healed what an earlier run left: {struck}" in done.stderr
    assert lab.is_on(cloud.name, struck)


def test_a_cloud_that_is_not_healthy_is_refused(cloud_file: Path, cloud: Cloud, fournines: Run) -> None:
    host = cloud.hosts[2].name
    lab.power(cloud.name, host, "off")
    done = fournines("prove", cloud_file, "--faults", "service.kill@keystone", ok=False)
    assert done.returncode == 1
    assert "not healthy" in done.stderr
    assert "--force" in done.stderr
    assert not lab.is_on(cloud.name, host)

"""The campaign's own clients: under a baseline the cloud changes, who asks does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fournines.cloud.model import TimingSpec
from fournines.prove.grounds import Grounds
from fournines.timing import timers
from samples import cases


def test_clients_keep_their_settings_under_a_baseline(tmp_path: Path) -> None:
    cloud = cases.Case(Path("none"), {"cloud": {}}).cloud(tmp_path)
    peer = replace(cloud, timing=TimingSpec(profile="kolla-22.2"))
    (region,) = cloud.regions.values()
    made = Grounds("", "", timers(cloud))
    assert made.database(peer, region) == made.database(cloud, region)
    assert made.broker(peer, region, "q") == made.broker(cloud, region, "q")
    assert timers(peer).amqp_heartbeat != timers(cloud).amqp_heartbeat

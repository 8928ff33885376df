"""Every shipped alert fires while its fault lasts and resolves afterwards; on a cloud that is well none fires."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest

from lab.alert_clients import HOOK_PORT, hook
from lab.alert_faults import Site
from lab.alert_watch import CALM, Watch, exercise
from lab.conftest import Run, healthy, write_cloud

NAME = "test-alarm"
pytestmark = pytest.mark.timeout(4800)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, fournines: Run) -> Iterator[Site]:
    """Three controllers, and two hosts that watch them."""
    path = write_cloud(tmp_path_factory.mktemp("alarm"), NAME, 44, 3)
    watching = "".join(
        f"      mon{n}: {{zone: rack{n}, address: 198.19.44.{40 + n}, roles: [monitoring]}}\n" for n in (1, 2)
    )
    hook = f'"http://198.19.44.1:{HOOK_PORT}/"'
    options = f"services: {{alertmanager: {{options: {{alertmanager.yml: {{webhook: {{url: {hook}}}}}}}}}}}\n"
    path.write_text(path.read_text() + watching + options)
    fournines("lab", "up", path, "--apply", timeout=1800)
    healthy(path, fournines)
    yield Site(path)
    fournines("lab", "down", path)


def test_a_busy_cloud_that_is_well_raises_none(site: Site, fournines: Run) -> None:
    """Eight minutes; `CALM=60 python -m benchmarks alerts` watches an hour. Whether the calm itself passes is judged by
    `test_prove`."""
    watch = Watch(site)
    with hook(str(site.gateway)):
        assert watch.until(watch.well(), CALM), watch.now
        began = time.monotonic()
        fournines("prove", site.path, "--calm", "8m", "--busy", "--yes", timeout=1200, ok=False)
        assert site.fired(math.ceil(time.monotonic() - began)) == {}


def test_every_alert_fires_and_resolves(site: Site) -> None:
    found = list(exercise(site))
    assert [name for name, seconds, _ in found if seconds is None] == []
    assert [name for name, _, resolved in found if not resolved] == []

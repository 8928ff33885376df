from __future__ import annotations

from collections.abc import Iterator

import pytest

from samples.dashboard import Client, Site, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture
def admin(site: Site) -> Iterator[Client]:
    with site.client("token-ada") as made:
        yield made


@pytest.fixture
def reader(site: Site) -> Iterator[Client]:
    with site.client("token-rita") as made:
        yield made

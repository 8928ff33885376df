from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fournines.cli.report import command
from fournines.errors import FourninesError, ProveError
from fournines.prove import store
from samples.campaign import campaign

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


@pytest.fixture(scope="module")
def small():
    """One fault: rendering all of them costs a test nothing to know."""
    sample = campaign()
    return dataclasses.replace(sample, results=sample.results[:1])


def run(*words: str) -> str:
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_newest_run_of_a_cloud(tmp_path: Path, small) -> None:
    cloud = shutil.copy(EXAMPLE, tmp_path)
    for start in ("2026-11-21T00:31:02+00:00", "2026-11-22T00:31:02+00:00"):
        directory = store.run_directory(tmp_path / ".fournines" / "acme", start)
        store.save(directory, dataclasses.replace(small, started_at=start))
    path = Path(run(str(cloud)).strip())
    assert path == tmp_path / ".fournines/acme/runs/20261122T003102/report.html"
    assert "2026-11-22" in path.read_text()


def test_a_named_run_to_a_named_file(tmp_path: Path, small) -> None:
    store.save(tmp_path, small)
    for source in (tmp_path, tmp_path / "campaign.json"):
        target = tmp_path / "there.html"
        assert run(str(source), "-o", str(target)).strip() == str(target)
        assert target.read_text().startswith("<!doctype html>")


def test_figures_alone(tmp_path: Path, small) -> None:
    store.save(tmp_path, small)
    assert run(str(tmp_path), "--markdown").startswith("| fault |")
    assert not (tmp_path / "report.html").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path, small) -> None:
    store.save(tmp_path, small)
    with pytest.raises(ProveError, match="cannot be written") as failed:
        run(str(tmp_path), "-o", str(tmp_path / "missing" / "report.html"))
    assert "-o FILE" in str(failed.value)


def test_a_cloud_without_a_run(tmp_path: Path) -> None:
    cloud = shutil.copy(EXAMPLE, tmp_path)
    with pytest.raises(FourninesError, match="no run is stored"):
        run(str(cloud))

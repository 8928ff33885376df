from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from fournines.errors import ProveError
from fournines.prove import store
from fournines.prove.model import Campaign, Subject
from fournines.prove.verdict import judge
from samples.campaign import PEER, campaign


def test_reads_back_what_it_wrote(tmp_path: Path) -> None:
    sample = campaign()
    directory = store.run_directory(tmp_path, sample.started_at)
    store.save(directory, sample)
    assert store.load(directory) == sample
    assert store.load(directory / "campaign.json") == sample


def test_infinity_survives_as_valid_json(tmp_path: Path) -> None:
    sample = campaign()
    first = sample.results[0]
    figures = first.functions[0]
    endless = dataclasses.replace(figures, whole=dataclasses.replace(figures.whole, longest_gap_s=math.inf))
    stored = dataclasses.replace(sample, results=(dataclasses.replace(first, functions=(endless,)),))
    path = store.save(tmp_path, stored)
    json.loads(path.read_text(), parse_constant=pytest.fail)
    assert store.load(path).results[0].functions[0].whole.longest_gap_s == math.inf


def test_newest_is_the_last_that_began(tmp_path: Path) -> None:
    sample = campaign()
    for start in ("2026-11-21T09:59:59+00:00", "2026-11-21T10:00:01+00:00", "2025-12-31T23:59:59+00:00"):
        store.save(store.run_directory(tmp_path, start), dataclasses.replace(sample, started_at=start))
    assert store.load(store.newest(tmp_path)).started_at == "2026-11-21T10:00:01+00:00"


def test_a_run_without_a_result_is_not_the_newest(tmp_path: Path) -> None:
    store.save(store.run_directory(tmp_path, "2026-11-21T09:00:00+00:00"), campaign())
    (tmp_path / "runs" / "20261122T000000").mkdir()
    assert store.newest(tmp_path).name == "20261121T090000"


def test_no_run_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ProveError, match="fournines prove"):
        store.newest(tmp_path)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": 3}', '{"format": 2, "campaign": {}}', '{"format": 1, "campaign": {"cloud": 3}}'],
)
def test_a_damaged_file_is_said_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "campaign.json").write_text(content)
    with pytest.raises(ProveError, match="not a campaign"):
        store.load(tmp_path)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ProveError, match="no stored run"):
        store.load(tmp_path)


def of_format_2(made: Campaign) -> dict[str, Any]:
    document = json.loads(store.dump(made))
    whole = document["campaign"]
    del whole["subjects"]
    whole |= {"cloud": "acme", "profile": "lan", "baseline": (whole.pop("reference") or {"profile": ""})["profile"]}
    for result in whole["results"]:
        result["profile"] = result.pop("subject")["profile"]
    return document | {"format": 2}


@pytest.mark.parametrize("reference", [None, PEER])
def test_a_run_of_the_second_format_is_of_one_cloud(tmp_path: Path, reference: Subject | None) -> None:
    made = dataclasses.replace(campaign(), reference=reference)
    (tmp_path / "campaign.json").write_text(json.dumps(of_format_2(made)))
    assert store.load(tmp_path) == made


def test_a_run_of_the_first_format_has_no_figures_that_it_did_not_measure(tmp_path: Path) -> None:
    document = of_format_2(campaign())
    document["format"] = 1
    for result in document["campaign"]["results"]:
        for f in result["functions"]:
            whole, kinds = f.pop("whole"), f.pop("by_connection")
            f |= {name: whole[name] for name in ("ok", "fail", "unknown", "longest_gap_s", "gap_returning_s")}
            f["gap_by_connection"] = {how: seen["longest_gap_s"] for how, seen in kinds.items()}
            del f["within_s"], f["answered_before"], f["on_writer"]
        del result["run"], result["candidates"], result["expected"]
    (tmp_path / "campaign.json").write_text(json.dumps(document))
    old, new = store.load(tmp_path), campaign()
    for mine, theirs in zip(old.results, new.results, strict=True):
        for f, g in zip(mine.functions, theirs.functions, strict=True):
            assert (f.whole.longest_gap_s, f.whole.ok) == (g.whole.longest_gap_s, g.whole.ok)
            assert math.isnan(f.whole.worst_wait_s)
            assert math.isnan(f.whole.degraded_s)
    assert judge(old.results[0])[0] != "pass"

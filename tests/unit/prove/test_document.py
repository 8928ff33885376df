"""The document of `prove --json`: its keys are a promise."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from fournines.prove.document import document
from samples.campaign import campaign


def test_the_document_has_the_promised_keys() -> None:
    whole = json.loads(document(campaign()))
    assert whole["verdict"] in ("pass", "fail", "unknown")
    for fault in whole["faults"]:
        assert {"fault", "target", "host", "functions", "writes", "redundant_again_s", "audit"} <= fault.keys()
        assert {"acknowledged", "lost", "ghost", "duplicate"} <= fault["writes"].keys()
        for figures in fault["functions"].values():
            waits = {"worst_wait_s", "degraded_s", "answered_within_1s", "longest_gap_s", "ok", "fail", "unknown"}
            promised = waits | {"unavailable_s", "p50_ms", "p99_ms", "fresh", "kept"}
            assert promised <= figures.keys()
            for kind in ("fresh", "kept"):
                assert figures[kind] is None or waits <= figures[kind].keys()


def test_several_runs_stand_together_with_what_was_left_out() -> None:
    sample = campaign()
    first = sample.results[0]
    runs = (first, replace(first, run=2), replace(first, run=3, not_measured="no power switch"))
    (group,) = json.loads(document(replace(sample, results=runs)))["repeats"]
    assert (group["runs"], group["excluded"]) == (2, [{"run": 3, "why": "no power switch"}])
    assert {"median", "worst", "interval"} <= group["figures"]["worst_wait_s"].keys()


def test_a_baselines_faults_stand_apart() -> None:
    sample = campaign()
    whole = json.loads(document(sample))
    own = [r for r in sample.results if r.subject == sample.own]
    assert len(whole["faults"]) == len(own)
    assert len(whole["baseline"]["faults"]) == len(sample.results) - len(own)


def test_a_figure_that_there_is_not_is_null() -> None:
    sample = campaign()
    result = sample.results[0]
    nothing = replace(result.functions[0], p99_ms=(1.0, math.nan, math.inf))
    changed = replace(sample, results=(replace(result, functions=(nothing,)), *sample.results[1:]))
    text = document(changed)
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["faults"][0]["functions"][nothing.function]["p99_ms"] is None

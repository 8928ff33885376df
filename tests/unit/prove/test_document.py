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
            promised = {"longest_gap_s", "unavailable_s", "ok", "fail", "unknown", "p50_ms", "p99_ms"}
            assert promised <= figures.keys()


def test_a_baselines_faults_stand_apart() -> None:
    sample = campaign()
    whole = json.loads(document(sample))
    own = [r for r in sample.results if r.profile == sample.profile]
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

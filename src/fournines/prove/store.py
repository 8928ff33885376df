"""Campaigns on disk: `<state>/runs/<start>/campaign.json`, one directory a run, so that any can be analysed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from fournines.errors import ProveError
from fournines.prove.model import Campaign

FILE = "campaign.json"


class Stored(BaseModel):
    """The file's document. `format` grows when an older reader could not make sense of it."""

    # JSON knows no nan (a percentile of nothing), and the null that stands for it by default does not read back.
    model_config = ConfigDict(ser_json_inf_nan="strings")

    format: Literal[3] = 3
    campaign: Campaign

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, document: Any) -> Any:
        return _of_format_2(_of_format_1(document)) if isinstance(document, dict) else document  # pyright: ignore


def _of_format_1(document: dict[str, Any]) -> dict[str, Any]:
    """Format 1 knew gaps alone. What it did not measure is no figure; `--analyse` computes it from the history."""
    if document.get("format") != 1:
        return document
    try:
        campaign: dict[str, Any] = document["campaign"]
        results: list[dict[str, Any]] = campaign["results"]
        upgraded = [{**r, "functions": [_of_gaps(f) for f in r["functions"]]} for r in results]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks {error}") from error
    return {"format": 2, "campaign": {**campaign, "results": upgraded}}


def _of_format_2(document: dict[str, Any]) -> dict[str, Any]:
    """Format 2 knew one cloud, and a baseline by its profile's name."""
    if document.get("format") != 2:
        return document
    try:
        campaign: dict[str, Any] = document["campaign"]
        cloud, baseline = campaign.pop("cloud"), campaign.pop("baseline", "")
        campaign["subjects"] = [{"cloud": cloud, "profile": campaign.pop("profile", "")}]
        campaign["reference"] = {"cloud": cloud, "profile": baseline} if baseline else None
        for result in campaign["results"]:
            result["subject"] = {"cloud": cloud, "profile": result.pop("profile")}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks {error}") from error
    return {"format": 3, "campaign": campaign}


def _of_gaps(function: dict[str, Any]) -> dict[str, Any]:
    """A function's figures of format 1 in today's."""
    counts = {name: function[name] for name in ("ok", "fail", "unknown")}
    returning = function.get("gap_returning_s", 0.0)
    unmeasured = dict.fromkeys(("answered_within_1s", "degraded_s", "worst_wait_s"), "NaN")
    common = {**unmeasured, "period_s": function["interval_s"]}
    by_connection = {
        how: {**common, **dict.fromkeys(counts, 0), "longest_gap_s": gap, "gap_returning_s": "NaN"}
        for how, gap in function.get("gap_by_connection", {}).items()
    }
    whole = {**common, **counts, "longest_gap_s": function["longest_gap_s"], "gap_returning_s": returning}
    return {**function, "whole": whole, "by_connection": by_connection}


def run_directory(state: Path, started_at: str) -> Path:
    """Of the run that began at `started_at` (ISO 8601). Sorts by time."""
    return state / "runs" / started_at.replace(":", "").replace("-", "").split(".")[0].removesuffix("+0000")


def dump(campaign: Campaign) -> str:
    return Stored(campaign=campaign).model_dump_json()


def save(directory: Path, campaign: Campaign) -> Path:
    """Writes `campaign.json` into `directory`, which is made. Returns the file."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE
    partial = path.with_suffix(".partial")
    partial.write_text(dump(campaign), encoding="utf-8")
    partial.replace(path)
    return path


def load(run: Path) -> Campaign:
    """`run` is a run's directory or its `campaign.json`. Raises ProveError when there is none, or it cannot be read."""
    path = run / FILE if run.is_dir() else run
    try:
        return Stored.model_validate_json(path.read_bytes()).campaign
    except FileNotFoundError:
        raise ProveError(
            "there is no stored run here", where=str(path), next="fournines prove CLOUD --faults host.power_off@vip"
        ) from None
    except OSError as error:
        raise ProveError("the stored run cannot be read", where=str(path), why=error.strerror or str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ProveError(
            "the stored run is not a campaign",
            where=str(path),
            why=f"{'.'.join(str(x) for x in first['loc']) or 'document'}: {first['msg']}",
            next="it may be cut off, or from another version: run the campaign again",
        ) from error


def newest(state: Path) -> Path:
    """Directory of the newest stored run. Raises ProveError when there is none."""
    runs = sorted(p.parent for p in state.glob(f"runs/*/{FILE}"))
    if not runs:
        raise ProveError(
            "no run is stored for this cloud",
            where=str(state / "runs"),
            next="fournines prove CLOUD --faults host.power_off@vip",
        )
    return runs[-1]

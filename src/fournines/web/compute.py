"""`python -m fournines.web.compute check|design|… CLOUD`: one JSON document, for `computed`. What it was asked for is
one on stdin."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fournines.commands.design import finite
from fournines.errors import FourninesError
from fournines.web.lookups import LOOKUPS


def check(path: Path, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
    from fournines.commands.check import document
    from fournines.design import check_file

    return document(path, *check_file(path))


def design(path: Path, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The overview, and the limits of this cloud's size."""
    from fournines.commands.design import overview
    from fournines.design.capacity import capacity
    from fournines.services import load

    cloud = load(path)
    made = overview(cloud)
    return {
        **dataclasses.asdict(made),
        "availability": [{**dataclasses.asdict(a), "minutes": a.minutes, "met": a.met} for a in made.availability],
        "degraded": [{**dataclasses.asdict(d), "what": d.what} for d in made.degraded],
        "limits": [{**dataclasses.asdict(x), "met": x.met} for region in capacity(cloud) for x in region.limits],
    }


def architecture(path: Path, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
    from fournines.design.document import compose, html, markdown
    from fournines.prove.observed import stored
    from fournines.services import load

    cloud = load(path)
    written = compose(cloud, stored(cloud.state_dir, cloud.timing.profile))
    return {"html": html(written), "markdown": markdown(written)}


WHAT: Mapping[str, Callable[[Path, Mapping[str, Any]], Mapping[str, Any]]] = {
    "check": check,
    "design": design,
    "architecture": architecture,
    **LOOKUPS,
}


def main(what: str, path: Path, asked: Mapping[str, Any]) -> None:
    from fournines.web.work import refusal

    said: dict[str, Any]
    try:
        said = {"result": WHAT[what](path, asked)}
    except FourninesError as error:
        said = {"error": refusal(error)}
    print(json.dumps(finite(said), default=str))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), json.load(sys.stdin))

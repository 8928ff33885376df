"""Cases of `tests/services/<service>/<case>.yaml`: a cloud in, what its service wants of one host out.

    cloud:      laid over examples/three-controllers.yaml; a `null` takes something away
    host:       whose
    resources:  keys, in the order in which they are made
    files:      path -> content, of those worth reading

`FOURNINES_UPDATE_CASES=1 pytest tests/services` writes `resources`, and the content of the paths in `files`, anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import LiteralScalarString

from fournines.cloud.model import Cloud, Host
from fournines.cloud.secrets import Secrets
from fournines.services import load, registry
from fournines.services.resource import File, Resource

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests/services").glob("*/*.yaml"))


class NamedSecrets(Secrets):
    """Every password is its own name; keys and certificates are real, for programs read them."""

    def get(self, name: str, generate: Callable[[], str] | None = None) -> str:
        return super().get(name, generate or (lambda: name))


@dataclass(frozen=True)
class Case:
    path: Path
    document: dict[str, Any]

    @property
    def service(self) -> str:
        return self.path.parent.name

    def cloud(self, directory: Path) -> Cloud:
        """`directory` takes the merged cloud file."""
        document = _overlaid(_yaml().load(ROOT / "examples/three-controllers.yaml"), self.document["cloud"] or {})
        path = directory / "cloud.yaml"
        _yaml().dump(document, path)
        cloud = load(path)
        cloud.__dict__["secrets"] = NamedSecrets()
        return cloud

    def host(self, cloud: Cloud) -> Host:
        return cloud.host_by_name[self.document["host"]]

    def resources(self, cloud: Cloud) -> list[Resource]:
        return list(registry()[self.service].desired(cloud, self.host(cloud)))

    def update(self, resources: list[Resource]) -> None:
        contents = {r.path: r.content for r in resources if isinstance(r, File)}
        self.document["resources"] = CommentedSeq(keys(resources))
        self.document["files"] = CommentedMap((p, LiteralScalarString(contents[p])) for p in self.document["files"])
        _yaml().dump(self.document, self.path)


def keys(resources: list[Resource]) -> list[str]:
    """In order; the agent's modules as one, for a case must not change with every one of them."""
    return list(dict.fromkeys(re.sub(r"(/fournines/agent/)[\w/]+\.py$", r"\1**.py", r.key) for r in resources))


def read(path: Path) -> Case:
    return Case(path, _yaml().load(path))


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 4096
    return yaml


def _overlaid(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    for key, value in above.items():
        if value is None:
            below.pop(key, None)
        else:
            below[key] = _overlaid(below.get(key), value)
    return below

"""What each service wants of a host, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from configparser import RawConfigParser
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from fournines.services import registry
from fournines.services.capabilities import ReadsOsloConfig
from fournines.services.options import known
from fournines.services.resource import File
from samples import cases


@pytest.mark.parametrize("path", cases.CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_case(path: Path, tmp_path: Path) -> None:
    case = cases.read(path)
    cloud = case.cloud(tmp_path)
    resources = case.resources(cloud)
    if os.environ.get("FOURNINES_UPDATE_CASES"):
        case.update(resources)
    contents = {r.path: r.content for r in resources if isinstance(r, File)}
    assert cases.keys(resources) == case.document["resources"]
    for name, expected in case.document["files"].items():
        assert contents[name] == expected, name
    assert case.resources(cloud) == resources, "rendering twice gives the same"


@pytest.mark.parametrize("path", cases.CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_option_is_one_that_the_service_knows(path: Path, tmp_path: Path) -> None:
    case = cases.read(path)
    service = registry()[case.service]
    if not isinstance(service, ReadsOsloConfig):
        return
    catalogue = known(case.service) or {}
    for file in (r for r in case.resources(case.cloud(tmp_path)) if isinstance(r, File)):
        name = file.path.rpartition("/")[2]
        if name in service.namespaces:
            assert unknown(file.content, catalogue[name]) == [], file.path


class CaseSensitive(RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unknown(text: str, catalogue: Mapping[str, Sequence[str]]) -> list[str]:
    """`section.option` of an INI file that `catalogue` does not have."""
    parser = CaseSensitive(strict=False, delimiters=("=",), comment_prefixes=("#",), default_section="none")
    parser.read_string(text)
    options = ((section, option) for section in parser.sections() for option in parser[section])
    return [
        f"{section}.{option}"
        for section, option in options
        if not any(fnmatchcase(section, s) and option in catalogue[s] for s in catalogue)
    ]


def test_an_option_that_nothing_reads_would_be_seen() -> None:
    catalogue = known("placement") or {}
    text = "[DEFAULT]\ndebug = true\n[api]\nauth_strategee = x\n[no]\nx = 1\n"
    assert unknown(text, catalogue["placement.conf"]) == ["api.auth_strategee", "no.x"]

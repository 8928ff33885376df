"""`handlers:` and `receivers:` of the cloud file, with those that every cloud has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from fournines.cloud import schema
from fournines.cloud.handlers import OF_HOST, OF_UNIT, SHIPPED, Handler, Receiver
from fournines.cloud.problems import Problems
from fournines.cloud.source import Path

File = Callable[[str | None], FilePath | None]
#: Events that are of no host, and those that are of a unit.
_NO_HOST, _UNIT = frozenset(("outage",)), frozenset(("daemon.down",))
#: What a receiver of each kind must have.
_NEEDS = {"webhook": (), "mail": ("server", "sender", "to"), "script": ("script",)}


def handlers_of(written: schema.CloudFile, problems: Problems, file: File) -> Mapping[str, Handler]:
    """What the file says of a shipped one replaces that key by key."""
    found = dict(SHIPPED)
    for name, said in written.handlers.items():
        path: Path = ("handlers", name)
        given = _given(said, file)
        before = SHIPPED.get(name)
        missing = [
            key for key in ("when", "do") if before is None and key not in given and (*path, key) not in problems.places
        ]
        for key in missing:
            about = schema.Handler.model_fields[key].description
            problems.wrong((*path, key), f"{key} is missing", f"add {key} ({about})")
        for i, receiver in enumerate(said.notify or ()):
            problems.known((*path, "notify", i), "receiver", receiver, written.receivers)
        if before is None and not {"when", "do"} <= given.keys():
            continue
        made = replace(before, **given) if before else Handler(name=name, **given)
        if _possible(made, path, problems):
            found[name] = made
    return found


def _given(said: schema.Handler, file: File) -> dict[str, Any]:
    """Only what the file has, by the names of `Handler`."""
    given: dict[str, Any] = {key: value for key, value in said.model_dump().items() if value is not None}
    if "notify" in given:
        given["receivers"] = given.pop("notify")
    if "plan" in given:
        given["plan"] = file(given["plan"])
    lists = ("do", "of", "hosts", "receivers")
    return {key: tuple(value) if key in lists else value for key, value in given.items()}


def _possible(made: Handler, path: Path, problems: Problems) -> bool:
    """Whether each action can be done about this event."""
    good = True
    for i, do in enumerate(made.do):
        where: Path = (*path, "do", i)
        if do in OF_HOST and made.when in _NO_HOST:
            problems.wrong(where, f"{do} needs a host, and {made.when} is of none", "notify, or plan")
        elif do in OF_UNIT and made.when not in _UNIT:
            problems.wrong(where, f"{do} needs a unit, and {made.when} is of none", "when: daemon.down")
        elif do == "renew" and made.when != "certificate.ends":
            problems.wrong(where, f"renew is for certificates, and {made.when} is of none", "when: certificate.ends")
        elif do == "plan" and made.plan is None:
            problems.wrong(where, "which plan is not said", "add plan: FILE, of `fournines plan CLOUD -o FILE`")
        else:
            continue
        good = False
    return good


def receivers_of(written: schema.CloudFile, problems: Problems, file: File) -> Mapping[str, Receiver]:
    found: dict[str, Receiver] = {}
    for name, said in written.receivers.items():
        path: Path = ("receivers", name)
        for key in _NEEDS[said.kind]:
            if not getattr(said, key) and (*path, key) not in problems.places:
                about = schema.Receiver.model_fields[key].description
                problems.wrong(path, f"a receiver of kind {said.kind} needs {key}", f"add {key} ({about})", key=True)
        found[name] = Receiver(
            name, said.kind, said.url, said.server or "", said.sender or "", tuple(said.to), file(said.script)
        )
    return found

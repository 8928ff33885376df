"""Keys and rings that hosts have lost, and secrets that the operator has: where what is lost can be made again."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.cloud.model import Cloud
from fournines.operate.recover.evidence import Asked, Seen
from fournines.operate.recover.finding import Finding
from fournines.operate.recover.rebuild import Rebuilt
from fournines.services import fernet

_KEYS = {"fernet": fernet.SECRET, "credential": fernet.CREDENTIAL_SECRET}
_COST = {
    "fernet": "every token ends: users and services sign in once more",
    "credential": "stored credentials (EC2 keys, TOTP seeds) can never be read again: their owners make new ones",
}
#: What the loss of a secret costs that no host shows, by the beginning of its name.
_UNSEEN = {
    "tls.": "the key of an authority: what it has signed stays valid, and it signs nothing more. Give the cloud a new "
    "one before a host joins: fournines rotate CLOUD ca",
    "agent.heartbeat": "the guards get new keys with the next apply, and do not hear one another until all have them: "
    "the VIP is away meanwhile",
    "keystone.fernet-keys": _COST["fernet"],
    "keystone.credential-keys": _COST["credential"],
    "marks": "nothing: what was last applied is applied again",
}


def secrets(cloud: Cloud, path: str, hosts: tuple[str, ...], rebuilt: Rebuilt) -> Finding:
    """Of the file at `path`, which is not there, on a cloud that was built with one. `apply` would make all of them
    anew, and lock every service out of what it has."""
    unseen = [f"{name}: {_cost(name)}" for name in rebuilt.missing]
    unclear = [f"{name}: hosts show several values, the most common one is taken" for name in rebuilt.unclear]
    return Finding(
        "secrets",
        "",
        f"{path} is lost, and the hosts are built with what it held",
        hosts,
        evidence=(f"{len(rebuilt.found)} of {len(rebuilt.found) + len(rebuilt.missing)} secrets stand in their files",),
        loses=(
            *unseen,
            *unclear,
            "what lay in .fournines: stored proofs and the record of `watch`; apply writes clouds.yaml and ca.pem anew",
        ),
        next=f"a copy of the file, or a backup (fournines backup extract), has all of them. Afterwards fournines plan "
        f"{cloud.source} shows what no host had",
    )


def _cost(name: str) -> str:
    return next((cost for prefix, cost in _UNSEEN.items() if name.startswith(prefix)), "a new one with the next apply")


def keys(seen: Seen, asked: Asked) -> Iterator[Finding]:
    """Keystone's. They are among the cloud's secrets, so that `apply` puts them back; new ones only where those are
    lost as well."""
    counts = {name: e.keys for name, e in seen.hosts.items() if e.keys is not None}
    for kind, secret in _KEYS.items():
        empty = tuple(name for name, found in counts.items() if not found.get(kind))
        if not empty:
            continue
        known = secret in seen.cloud.secrets.names()
        source = seen.cloud.source
        yield Finding(
            "keys",
            seen.region.name,
            f"Keystone's {kind} keys are gone",
            empty,
            evidence=tuple(f"{name}: {found.get(kind, 0)} keys" for name, found in counts.items()),
            loses=("nothing: they are among the cloud's secrets",) if known else (_COST[kind],),
            next=f"fournines apply {source} puts them back"
            if known
            else f"the secrets file out of a backup first, fournines backup extract; without one, fournines apply "
            f"{source} makes new keys",
        )


def rings(seen: Seen, asked: Asked) -> Iterator[Finding]:
    """They follow from the devices in the cloud file alone: no builder exists whose state could be lost."""
    bad = {name: e.rings for name, e in seen.hosts.items() if e.rings}
    if bad:
        yield Finding(
            "rings",
            seen.region.name,
            "ring files of Swift are missing, or not what was made",
            tuple(bad),
            evidence=tuple(f"{name}: {', '.join(files)}" for name, files in bad.items()),
            loses=("nothing: the same devices make the same rings",),
            next=f"fournines apply {seen.cloud.source} makes them again",
        )

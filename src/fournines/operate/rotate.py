"""Rotation of keys: a change of the cloud's secrets, which then reaches the hosts as any other change does."""

from __future__ import annotations

from fournines.cloud.model import Cloud
from fournines.errors import PlanError
from fournines.plan.model import Plan
from fournines.services import fernet
from fournines.services.keystone import max_active_keys, token_usable


def fernet_keys(cloud: Cloud, now: float, pending: Plan) -> fernet.FernetKeys:
    """Stage a new key and make the staged one primary, in the cloud's secrets (not yet saved).

    now: seconds since the epoch. pending: what `apply` would change now. Raises PlanError when that is anything: two
    rotations ahead of one host, and that host could not read what the others encrypt.
    """
    if not pending.empty:
        raise PlanError(
            "keys are rotated only on a cloud that is as its file says",
            where=", ".join(pending.hosts),
            why=f"{sum(len(s.changes) for s in pending.stages)} changes are pending, perhaps of an earlier rotation",
            next=f"fournines apply {cloud.source}",
        )
    rotated = fernet.rotated(fernet.keys(cloud), now, token_usable(cloud), max_active_keys(cloud))
    cloud.secrets.set(fernet.SECRET, fernet.dumps(rotated))
    return rotated

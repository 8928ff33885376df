"""What is made once in a server that the cluster runs: on the host that has it."""

from __future__ import annotations

import hashlib

from fournines.services.resource import Task


def task(
    tier: str, here: str, name: str, *, check: str, script: str, wanted: str, stdin: str = "", timeout: float = 120.0
) -> Task:
    """What `script` makes in the server of `tier`, on the host where `here` (shell) succeeds, from `wanted`; `check` as
    a task's.

    The hosts that do not have it remember what was last made, so that a failover between two runs makes none of it
    again.
    """
    known, digest = f"/var/lib/fournines/{tier}-accounts", hashlib.sha256(wanted.encode()).hexdigest()[:16]
    elsewhere = f"[ \"$(cat {known} 2> /dev/null)\" = {digest} ] && echo ok || echo 'not made yet'"
    return Task(
        name=name,
        check=f"if {here}; then\n{check}\nelse\n{elsewhere}\nfi",
        # The cluster has it started on one of the hosts by now, or is about to move it.
        script=f"if {here}; then\n{script}\nfi\necho {digest} > {known}",
        stdin=stdin,
        timeout=timeout,
    )

"""A host's power, by the fence agent and the power controller that the cluster has for it."""

from __future__ import annotations

import subprocess
import sys

from .difference import PREFIX, ours
from .running import run, wanted


def power(action: str, host: str) -> None:
    if action == "status":
        device = ours(wanted(), "resources").get(f"{PREFIX}fence-{host}")
        if device is None:
            sys.exit(f"the cluster has no power controller of {host}")
        words = [f"{p.get('name')}={p.get('value')}" for p in device.iter("nvpair")]
        words = [word for word in words if not word.startswith("pcmk_")]
        agent = f"/usr/sbin/{device.get('type')}"
        done = subprocess.run(
            [agent], input="\n".join([*words, "action=status"]), capture_output=True, text=True, check=False, timeout=60
        )
        # 2: it is off.
        if done.returncode not in (0, 2):
            said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
            sys.exit(f"its power controller does not answer: {said[0]}")
        print("off" if done.returncode == 2 else "on")
        return
    verb = {"off": "--fence", "on": "--unfence"}[action]
    done = run("/usr/sbin/stonith_admin", verb, host, "--timeout", "60", timeout=90.0)
    if done.returncode:
        sys.exit((done.stderr or done.stdout).strip() or f"stonith_admin ends with {done.returncode}")

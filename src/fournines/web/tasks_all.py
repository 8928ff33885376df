"""What the worker calls for each kind of job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fournines.cloud.model import Cloud
from fournines.web import tasks, tasks_data, tasks_operate, tasks_prove, tasks_recover, tasks_scale
from fournines.web.work import Work

Task = Callable[[Cloud, Any, Work], Mapping[str, Any]]

TASKS: dict[str, Task] = {
    "plan": tasks.plan,
    "apply": tasks.apply,
    "smoke": tasks.smoke,
    "rotate": tasks.rotate,
    "power": tasks.power,
    "wipe": tasks.wipe,
    "versions": tasks.versions,
    "observe": tasks.observe,
    "recover": tasks_recover.recover,
    "prove": tasks_prove.prove,
    "calm": tasks_prove.calm,
    "drain": tasks_operate.drain,
    "undrain": tasks_operate.undrain,
    "reboot": tasks_operate.reboot,
    "upgrade": tasks_operate.upgrade,
    "upgrade-release": tasks_operate.upgrade_release,
    "fence": tasks_operate.fence,
    "replace": tasks_scale.replace,
    "scale-add": tasks_scale.add,
    "scale-remove": tasks_scale.remove,
    "backup": tasks_data.backup,
    "backup-verify": tasks_data.verify,
    "restore": tasks_data.restore,
}

"""The journal of a host: kept over a boot, and never more of the disk than is said here.

What filled it was a line for each health check (`services.units` says none now); how far back it reaches has not been
measured since. What could still fill it is a daemon that fails in a loop, which its rate limit stops. Both limits are a
host's, and the operator's to change: `services.base.options."journald.conf"`.
"""

from __future__ import annotations

from fournines.cloud.model import Cloud
from fournines.services.options import operators
from fournines.services.render import ini
from fournines.services.resource import Directory, File, Resource

UNIT = "systemd-journald.service"
DROP_IN = "/etc/systemd/journald.conf.d/fournines.conf"
#: Of the file system that holds /var/log/journal, compressed.
MOST = "4G"
#: What is left free there for everything else.
FREE = "2G"

#: journald.conf(5), systemd 257.
_SETTINGS = {
    "Storage": "persistent",
    "Compress": "yes",
    "SystemMaxUse": MOST,
    "SystemKeepFree": FREE,
    # A file is deleted as a whole: with files of a day or less, the oldest day goes and not a third of all.
    "SystemMaxFileSize": "128M",
    "MaxFileSec": "1day",
    # Lines say who did what: kept as long as they are of use, and no longer.
    "MaxRetentionSec": "30day",
    # Of one unit: systemd's own limit. What is left out is said in a line ("Suppressed N messages").
    "RateLimitIntervalSec": "30s",
    "RateLimitBurst": "10000",
}


def journal(cloud: Cloud) -> tuple[Resource, ...]:
    text = ini({"Journal": _SETTINGS}, operators(cloud, "base", "journald.conf"))
    return (
        Directory("/etc/systemd/journald.conf.d"),
        # The sockets of those who write stay open over its restart (systemd keeps them).
        File(DROP_IN, text, triggers=(f"restart:{UNIT}",)),
    )

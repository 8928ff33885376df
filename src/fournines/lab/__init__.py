"""Hosts on this machine: real systemd, real daemons, real network, a power switch.

    up(cloud, say), down(cloud_name)                            make, remove; idempotent
    access(cloud)                                               the cloud, with the lab's SSH keys if it is up
    power(cloud_name, host, "on" | "off" | "reset")             what a power failure does
    isolate(cloud_name, host, network), heal(…), isolated(…)    what a dead switch port does
    resume(cloud_name)                                          every host on, every port joined
    leader(cloud_name, host)                                    the host's PID 1, for entering its namespaces
    capabilities(), has("netem")                                what this machine can do

All are quick and block (`power` about 0.1 s; `up` and `down` seconds): call them with `asyncio.to_thread`.
"""

from fournines.lab.access import access, ssh
from fournines.lab.image import image_for
from fournines.lab.lifecycle import answers, down, down_all, up
from fournines.lab.machine import Capability, capabilities, has
from fournines.lab.power import Action, heal, is_on, isolate, isolated, leader, memory, power, resume
from fournines.lab.state import Lab, LabHost, exists, load, names

__all__ = [
    "Action",
    "Capability",
    "Lab",
    "LabHost",
    "access",
    "answers",
    "capabilities",
    "down",
    "down_all",
    "exists",
    "has",
    "heal",
    "image_for",
    "is_on",
    "isolate",
    "isolated",
    "leader",
    "load",
    "memory",
    "names",
    "power",
    "resume",
    "ssh",
    "up",
]

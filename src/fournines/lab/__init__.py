"""Hosts on this machine: real systemd, real daemons, real network, a power switch.

    up(cloud, say), down(cloud_name)                            make, remove; idempotent
    login(cloud_name, host)                                     the words that log in to a host
    access(cloud)                                               the cloud, with the lab's SSH keys if it is up
    power(cloud_name, host, "on" | "off" | "reset")             what a power failure does
    wipe(cloud_name, host, say)                                 a new machine in its place: an empty disk
    isolate(cloud_name, host, network), heal(…), isolated(…)    what a dead switch port does
    Cut(port(…), seconds)                                       the same, for an exact time
    freeze(cloud_name, host), thaw(…), is_frozen(…)             every process of a host stopped at one instant
    limit_memory(cloud_name, host, spare), ended_for_memory(…)  no more memory than it has; what the kernel ended for it
    luns.mounted(cloud_name, host, leader(…))                   disks that others see as well
    delay                                                       packets late at a port, where the kernel has netem
    packet_filter                                               some packets lost at a port: one way, a port, a share
    of_unit(cloud_name, host, unit), environment(…), boot(…)    a container's processes, as the machine sees them
    resume(cloud_name)                                          every host on, every port joined
    leader(cloud_name, host)                                    a container's PID 1, for entering its namespaces
    capabilities(), has("netem"), available_memory()            what this machine can do; bytes that are left
    design(cloud, image)                                        what its lab consists of; why there can be none

All are quick and block (`power` about 0.1 s; `up`, `down` and `wipe` seconds): call them with `asyncio.to_thread`.
"""

from fournines.lab import delay, luns, packet_filter
from fournines.lab.access import access, ssh
from fournines.lab.cut import Cut
from fournines.lab.kinds import login
from fournines.lab.lifecycle import answers, down, down_all, images, up
from fournines.lab.machine import Capability, available_memory, capabilities, has
from fournines.lab.network import is_cut
from fournines.lab.new_machine import wipe
from fournines.lab.nspawn import leader
from fournines.lab.power import (
    Action,
    empty_disk,
    ended_for_memory,
    freeze,
    heal,
    is_frozen,
    is_on,
    isolate,
    isolated,
    limit_memory,
    memory,
    port,
    power,
    resume,
    thaw,
)
from fournines.lab.processes import boot, environment, of_unit
from fournines.lab.router import behind_router
from fournines.lab.state import Lab, LabHost, design, exists, load, names

__all__ = [
    "Action",
    "Capability",
    "Cut",
    "Lab",
    "LabHost",
    "access",
    "answers",
    "available_memory",
    "behind_router",
    "boot",
    "capabilities",
    "delay",
    "design",
    "down",
    "down_all",
    "empty_disk",
    "ended_for_memory",
    "environment",
    "exists",
    "freeze",
    "has",
    "heal",
    "images",
    "is_cut",
    "is_frozen",
    "is_on",
    "isolate",
    "isolated",
    "leader",
    "limit_memory",
    "load",
    "login",
    "luns",
    "memory",
    "names",
    "of_unit",
    "packet_filter",
    "port",
    "power",
    "resume",
    "ssh",
    "thaw",
    "up",
    "wipe",
]

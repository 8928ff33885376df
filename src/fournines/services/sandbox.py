"""What every unit is denied, in one place: for units that fournines writes, and for those of packages.

The whole of it is for a daemon with a user of its own, which asks nothing of the kernel but sockets and its own files.
What a daemon needs beside is stated where it is declared. One that has to become root by sudo (Neutron's and Nova's
helpers, which make network namespaces, mounts and devices for others to see) can be denied little: `BY_SUDO`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """writes: paths beside its own state, runtime and temporary directories. capabilities: those that it keeps.
    families: of sockets. filters: of system calls, beyond `@system-service`. why: it needs more than others. allows:
    settings of systemd that are left out. by_sudo: it starts programs as root.
    """

    writes: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    families: tuple[str, ...] = ("AF_UNIX", "AF_INET", "AF_INET6")
    filters: tuple[str, ...] = ("@system-service", "~@privileged @resources")
    allows: tuple[str, ...] = ()
    by_sudo: bool = False
    why: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Of section [Service]."""
        if self.by_sudo:
            return tuple(f"{name}={value}" for name, value in {**_ANYWAY, **_NOT_EVEN_ROOT}.items())
        settings = {
            **_DENIED,
            "ReadWritePaths": " ".join(f"-{path}" for path in self.writes),
            "CapabilityBoundingSet": " ".join(self.capabilities),
            "RestrictAddressFamilies": " ".join(self.families),
        }
        kept = tuple(f"{name}={value}" for name, value in settings.items() if name not in self.allows)
        return (*kept, *(f"SystemCallFilter={each}" for each in self.filters if "SystemCallFilter" not in self.allows))


#: Needs neither a namespace nor that privileges cannot be gained.
_ANYWAY: Mapping[str, str] = {"KeyringMode": "private", "RemoveIPC": "yes"}
#: What nothing that such a unit starts as root may do.
_NOT_EVEN_ROOT: Mapping[str, str] = {
    "CapabilityBoundingSet": "~CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_TIME CAP_SYSLOG CAP_MAC_ADMIN CAP_MAC_OVERRIDE "
    "CAP_LINUX_IMMUTABLE CAP_WAKE_ALARM CAP_BLOCK_SUSPEND",
}
_DENIED: Mapping[str, str] = {
    **_ANYWAY,
    # Not for those above: dnsmasq and QEMU, with users of their own, read what Neutron and Nova write.
    "UMask": "0027",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateTmp": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "ProtectProc": "invisible",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectControlGroups": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "LockPersonality": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
}
STRICT = Sandbox()
#: Python asks the kernel for the host's addresses by netlink.
PYTHON_FAMILIES = ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK")


def service(user: str, *writes: str, filters: tuple[str, ...] = STRICT.filters) -> Sandbox:
    """A daemon of OpenStack that runs as `user`."""
    own = (f"/var/lib/{user}", f"/var/log/{user}", f"/var/cache/{user}")
    return Sandbox(writes=(*own, *writes), families=PYTHON_FAMILIES, filters=filters)


def by_sudo(why: str) -> Sandbox:
    return Sandbox(by_sudo=True, why=why)


#: What packages' units are denied, by their names.
PACKAGED: Mapping[str, Sandbox] = {
    "mariadb.service": Sandbox(
        writes=("/var/lib/mysql", "/var/log/mysql", "/run/mysqld", "/run/fournines"),
        # State transfer's script looks for who listens (ss), and mariabackup raises its limits.
        families=PYTHON_FAMILIES,
        filters=("@system-service",),
        capabilities=("CAP_IPC_LOCK",),
    ),
    "rabbitmq-server.service": Sandbox(
        writes=("/var/lib/rabbitmq", "/var/log/rabbitmq"),
        families=PYTHON_FAMILIES,
        filters=("@system-service",),
    ),
    "memcached.service": Sandbox(
        # It starts as root, and goes on as its own user.
        capabilities=("CAP_SETUID", "CAP_SETGID", "CAP_SYS_RESOURCE"),
        filters=("@system-service",),
    ),
    "haproxy.service": Sandbox(
        writes=("/run", "/var/lib/haproxy"),
        filters=("@system-service",),
        # It starts as root, for ports below 1024 and its certificates, and leaves all but the master to its own user.
        capabilities=(
            *("CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_FOWNER", "CAP_KILL"),
            *("CAP_SYS_RESOURCE", "CAP_SYS_CHROOT", "CAP_DAC_OVERRIDE"),
        ),
    ),
    # Series are files that it maps by the thousand.
    "prometheus.service": Sandbox(writes=("/var/lib/prometheus",), filters=("@system-service",)),
    "prometheus-alertmanager.service": Sandbox(writes=("/var/lib/prometheus",), families=PYTHON_FAMILIES),
    # It tells of the host's mounts as its first process has them, and not of its own, most of which are read-only.
    "prometheus-node-exporter.service": Sandbox(
        families=PYTHON_FAMILIES,  # network devices
        allows=("ProtectProc", "ProtectHome", "PrivateTmp"),
    ),
    "prometheus-mysqld-exporter.service": STRICT,
    "keepalived.service": Sandbox(
        writes=("/run",),
        families=(*PYTHON_FAMILIES, "AF_PACKET"),  # gratuitous ARP
        filters=("@system-service",),
        # Real-time priority, locked memory, and scripts as a user of their own where there is one.
        capabilities=(
            *("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE", "CAP_SYS_NICE", "CAP_IPC_LOCK"),
            *("CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_DAC_OVERRIDE"),
        ),
        allows=("RestrictRealtime",),
    ),
}


def packaged(unit: str) -> tuple[str, ...]:
    """Lines for a package's unit; none where its own are as strict."""
    found = PACKAGED.get(unit)
    return found.lines if found else ()

"""The systemd unit of `fournines watch`, for a machine outside the cloud."""

from __future__ import annotations

import sys
from pathlib import Path

from fournines.cloud.model import Cloud

#: Where the watch's own key is looked for, unless the cloud file or an option names one.
OWN = Path("/etc/fournines-watch")


def unit(cloud: Cloud, *, region: str, key: Path | None, known_hosts: Path | None) -> str:
    """`region`: "" where there is one alone."""
    first = cloud.hosts[0].ssh
    files = {
        "cloud.yaml": cloud.source,
        f"{cloud.name}.secrets.yaml": cloud.source.parent / f"{cloud.name}.secrets.yaml",
        "ssh-key": (key or first.key or OWN / "id_ed25519").absolute(),
        "known-hosts": (known_hosts or first.known_hosts or OWN / "known_hosts").absolute(),
    }
    python = Path(sys.executable)
    return _UNIT.format(
        cloud=_plain(cloud.name),
        credentials="\n".join(f"LoadCredential={name}:{_plain(str(path))}" for name, path in files.items()),
        python=_plain(str(python)),
        region=f" --region {region}" if region else "",
        # What runs must not be hidden with the home directories.
        home="read-only" if python.parts[1:2] in (("home",), ("root",)) else "yes",
    )


def _plain(text: str) -> str:
    """`%` begins a specifier of systemd's, `$` a variable."""
    return text.replace("%", "%%").replace("$", "$$")


_UNIT = """\
# Made by `fournines export watch-unit`. What it needs of the cloud it gets as credentials, copied when it starts: after
# a change of the cloud file, or of passwords or certificates, systemctl restart fournines-watch.
# The key should be the watch's own. It gets root on the hosts, which what handlers do needs.

[Unit]
Description=What clients have of the cloud {cloud}
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={python} -m fournines.cli.main watch ${{CREDENTIALS_DIRECTORY}}/cloud.yaml --state ${{STATE_DIRECTORY}} \\
    --ssh-key ${{CREDENTIALS_DIRECTORY}}/ssh-key --known-hosts ${{CREDENTIALS_DIRECTORY}}/known-hosts{region}
{credentials}
Restart=always
RestartSec=5
# Probes must not wait for what else this machine does.
Nice=-5
MemoryMax=512M
TasksMax=64

User=fournines-watch
DynamicUser=yes
StateDirectory=fournines-watch
StateDirectoryMode=0700
UMask=0077
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

"""What makes one copy of the image into this host: its name, its keys, who may come in. Written into its layer."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from fournines.lab import kinds
from fournines.lab.shell import run
from fournines.lab.state import Lab, LabHost, write_atomically


def keys(lab: Lab) -> None:
    """The lab's SSH key. Idempotent."""
    directory = lab.directory / "ssh"
    directory.mkdir(exist_ok=True)
    _keypair(directory / "id_ed25519", f"fournines lab {lab.cloud}")


def _keypair(path: Path, comment: str) -> None:
    if not path.with_name(f"{path.name}.pub").exists():
        path.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def seed(lab: Lab, host: LabHost) -> None:
    """Fills the layer of `host`, once: what the host changed since stays."""
    kind = kinds.of(host)
    upper = kind.layer(lab.host_directory(host.name))
    if (lab.host_directory(host.name) / "host_key.pub").exists():
        return
    shutil.rmtree(upper, ignore_errors=True)
    upper.mkdir(parents=True)
    upper.chmod(0o755)
    made = lab.host_directory(host.name) / "host_key.new"
    made.with_name("host_key.new.pub").unlink(missing_ok=True)
    _keypair(made, host.name)
    public = made.with_name("host_key.new.pub")
    authorized = (lab.directory / "ssh" / "id_ed25519.pub").read_bytes()
    image = kind.root(lab)
    _place(image, upper, "etc/hostname", f"{host.name}\n".encode())
    _place(image, upper, "etc/machine-id", f"{uuid.uuid4().hex}\n".encode())
    _place(image, upper, "etc/ssh/ssh_host_ed25519_key", made.read_bytes(), 0o600)
    _place(image, upper, "etc/ssh/ssh_host_ed25519_key.pub", public.read_bytes())
    # A daemon on the wildcard address would take the port from what HAProxy binds on the VIP.
    _place(image, upper, "etc/ssh/sshd_config.d/address.conf", f"ListenAddress {host.address}\n".encode())
    _place(image, upper, "root/.ssh/authorized_keys", authorized, 0o600)
    kind.finish(lab, host)
    made.unlink()
    public.rename(made.with_name("host_key.pub"))


def empty(lab: Lab, host: LabHost) -> None:
    """What `host`, which is off, has written is gone; it is another machine, with another SSH key."""
    directory = lab.host_directory(host.name)
    (directory / "host_key.pub").unlink(missing_ok=True)  # without it, `up` makes the disk anew too
    for path in directory.iterdir():  # not the directory itself: whoever is here holds its lock
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    seed(lab, host)
    known_hosts(lab)


def _place(image: Path, upper: Path, path: str, content: bytes, mode: int = 0o644) -> None:
    """Writes a file of the layer. Directories above it get the image's modes: a layer's own would hide them."""
    target = upper / path
    for directory in [*reversed(target.parent.relative_to(upper).parents), target.parent.relative_to(upper)]:
        made = upper / directory
        if not made.exists():
            made.mkdir()
            below = image / directory
            made.chmod(below.stat().st_mode & 0o7777 if below.is_dir() else 0o700)
    write_atomically(target, content, mode)


def known_hosts(lab: Lab) -> None:
    """Writes the file by which SSH knows every host before it was ever asked."""
    lines: list[str] = []
    for host in lab.hosts:
        kind, key, *_ = (lab.host_directory(host.name) / "host_key.pub").read_text().split()
        names = ",".join([host.name, *(str(port.address.ip) for port in host.ports if port.address)])
        lines.append(f"{names} {kind} {key}\n")
    write_atomically(lab.directory / "ssh" / "known_hosts", "".join(lines).encode())

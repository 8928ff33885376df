"""Consoles of servers, between the computes' QEMU and the console proxies: VNC inside of TLS (VeNCrypt), each side with
a certificate.

QEMU takes any certificate of an authority that it knows, whatever it is for, and wants its own to be of one of these
too. So there is one authority that signs for the console proxies alone, and one for each compute, that signs for that
one: a compute's own key opens no console of another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from fournines.cloud.model import Cloud, Host, Region
from fournines.services import tls
from fournines.services.render import Sections, flat, program
from fournines.services.resource import Directory, File, Resource

GROUP = "nova"
#: Where AppArmor's profile of Debian's libvirt lets QEMU read.
DIRECTORY = "/etc/pki/libvirt-vnc"
QEMU = "/etc/libvirt/qemu.conf"
PROXY = "/usr/lib/fournines/nova-novncproxy"
CERTIFICATE = f"{tls.DIRECTORY}/nova-vnc-client.pem"
COMPUTES = f"{tls.DIRECTORY}/nova-vnc-computes.pem"


def compute(cloud: Cloud, host: Host, libvirt: str) -> Iterable[Resource]:
    """For QEMU on `host`. Servers that run keep what they were started with. `libvirt`: its unit."""
    if tls.encrypted(cloud):
        pem = tls.console_pem(cloud, host)
        key = pem.index("-----BEGIN PRIVATE KEY")
        known = tls.member_ca(cloud, host.region, GROUP) + tls.console_ca(cloud, host)
        yield Directory("/etc/pki")
        yield Directory(DIRECTORY, mode=0o750, group="libvirt-qemu")
        yield File(f"{DIRECTORY}/ca-cert.pem", known)
        yield File(f"{DIRECTORY}/server-cert.pem", pem[:key])
        yield File(f"{DIRECTORY}/server-key.pem", pem[key:], mode=0o640, group="libvirt-qemu", secret=True)
    ours = {"vnc_tls": 1, "vnc_tls_x509_cert_dir": DIRECTORY, "vnc_tls_x509_verify": 1} if tls.encrypted(cloud) else {}
    theirs = cloud.options("nova_compute", "qemu.conf").get("", {})
    text = flat({name: _quoted(value) for name, value in {**ours, **theirs}.items()}, {})
    yield File(QEMU, text, triggers=(f"restart:{libvirt}",))


def proxy(cloud: Cloud, region: Region, host: Host, unit: str) -> Iterable[Resource]:
    """For the console proxy on `host`, which reads certificates anew for each console."""
    yield File(PROXY, program("novncproxy.py"), mode=0o755, triggers=(f"restart:{unit}",))
    if tls.encrypted(cloud):
        pem = tls.member_pem(cloud, host, GROUP)
        yield File(CERTIFICATE, pem, mode=0o640, group="nova", secret=True)
        authorities = (tls.console_ca(cloud, h) for h in region.hosts if "nova_compute" in h.services)
        yield File(COMPUTES, "".join(authorities))


def options(cloud: Cloud) -> Sections:
    """Of `nova.conf`. In the middle of a change, computes without TLS are taken too."""
    if not tls.encrypted(cloud):
        return {}
    return {
        "vnc": {
            "auth_schemes": "vencrypt" if tls.required(cloud) else "vencrypt,none",
            "vencrypt_client_cert": CERTIFICATE,
            "vencrypt_client_key": CERTIFICATE,
            "vencrypt_ca_certs": COMPUTES,
        }
    }


def _quoted(value: Any) -> str:
    """As libvirt's files have it: numbers, texts in quotes, lists of them in brackets."""
    if isinstance(value, list):
        return f"[{', '.join(map(_quoted, cast(list[Any], value)))}]"
    return str(int(value)) if isinstance(value, bool | int) else json.dumps(str(value))

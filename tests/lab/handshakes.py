"""What a daemon of a lab's host does with a client that shows this certificate or that, or speaks no TLS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Literal

from fournines import lab
from fournines.cloud.model import Cloud

#: plain: speaks no TLS. nothing: shows no certificate. Otherwise a file with a certificate and its key.
Shows = Path | Literal["plain", "nothing"]
Outcome = Literal["accepted", "refused", "silence", "no connection"]

_CLIENT = """\
import json, socket, ssl, sys, time
said = json.load(sys.stdin)


def outcome():
    with socket.create_connection((said["address"], said["port"]), 0.5) as tcp:
        tcp.settimeout(said["seconds"])
        try:
            if said["shows"] == "plain":
                return listen(tcp)
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            if said["shows"] != "nothing":
                trust.load_cert_chain(said["shows"])
            with trust.wrap_socket(tcp) as secure:
                return listen(secure)
        except TimeoutError:
            return "silence"
        except (ssl.SSLError, ConnectionError):
            return "refused"


def listen(connection):
    connection.sendall(bytes.fromhex(said["sends"]))
    # A refusal of a certificate comes after the handshake, in TLS 1.3, and an alert in the clear is a refusal too.
    heard = connection.recv(100)
    return "accepted" if heard and not (said["shows"] == "plain" and heard[:1] == b"\\x15") else "refused"


deadline = time.monotonic() + said["patience"]
while True:
    try:
        print(outcome())
        break
    except OSError:
        if time.monotonic() > deadline:
            print("no connection")
            break
        time.sleep(0.02)
"""


def answered(
    cloud: Cloud,
    by: tuple[str, int],
    *,
    from_host: str,
    shows: Shows,
    sends: bytes = b"",
    seconds: float = 3.0,
    patience: float = 0.0,
) -> Outcome:
    """By the daemon at (address, port), to a client on `from_host`, which the firewall there lets in. accepted: it has
    said something, after `sends`. silence: nothing within `seconds`. patience: seconds in which it may begin to listen.
    """
    wanted: dict[str, Any] = {
        "address": by[0],
        "port": by[1],
        "shows": str(shows),
        "sends": sends.hex(),
        "seconds": seconds,
        "patience": patience,
    }
    argv = ["nsenter", f"--net=/proc/{lab.leader(cloud.name, from_host)}/ns/net", "python3", "-c", _CLIENT]
    limit = patience + seconds + 30
    done = subprocess.run(argv, check=True, capture_output=True, input=json.dumps(wanted), text=True, timeout=limit)
    said = done.stdout.strip()
    assert said in ("accepted", "refused", "silence", "no connection"), said
    return said

"""The lab's power distribution unit: Redfish over TLS, as on a baseboard controller.

Just what `fence_redfish` and sushy ask for: the service root, the collection of systems, a system with its power state,
and `ComputerSystem.Reset` (DSP0266 1.15, schema ComputerSystem 1.20). Basic authentication; one process a lab, bound to
the lab's own address on the machine and to those of its hosts' own controllers (`bmc`), each of which knows one system.
`python -m fournines.lab.redfish CLOUD` is what runs in it.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from fournines.cloud.model import Cloud, Host
from fournines.errors import FourninesError, LabError
from fournines.lab import cgroup
from fournines.lab.power import Action, is_on, power
from fournines.lab.shell import run
from fournines.lab.state import Lab, LabHost, load, write_atomically
from fournines.services import pacemaker, tls

PORT = 8443
SYSTEMS = "/redfish/v1/Systems"
#: ResetType -> what the lab's power switch does. A host without power does nothing gracefully.
RESETS: dict[str, Action] = {
    "On": "on",
    "ForceOn": "on",
    "ForceOff": "off",
    "ForceRestart": "reset",
    "PowerCycle": "reset",
}


def start(lab: Lab, cloud: Cloud | None = None) -> None:
    """Starts the lab's endpoint, unless it runs as it should. Users and passwords are in redfish.json, for root alone.

    cloud: whose hosts have power controllers of their own (`bmc`).
    """
    group = cgroup.of_redfish(lab.cloud)
    changed = prepare(lab, cloud)
    if cgroup.populated(group):
        if not changed:
            return
        cgroup.destroy(group)
    cgroup.make(group)
    script = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@" < /dev/null > redfish.log 2>&1'
    argv = ["setsid", "--fork", "sh", "-c", script, "sh", str(group), sys.executable, "-P"]
    # With its output captured, `run` returns when the shell has let go of the pipe: it is in its cgroup by then.
    argv += ["-m", "fournines.lab.redfish", lab.cloud]
    subprocess.run(argv, cwd=lab.directory, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def wait(lab: Lab, timeout: float = 30.0) -> None:
    """Returns when the endpoint takes connections. Raises LabError when it ended, or does not within `timeout` s."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((str(lab.gateway), PORT), timeout=1.0).close()
            return
        except OSError as error:
            if time.monotonic() > deadline or not cgroup.populated(cgroup.of_redfish(lab.cloud)):
                raise LabError(
                    f"The power endpoint of lab {lab.cloud} does not start",
                    where=str(lab.directory / "redfish.log"),
                    why=str(error),
                    next=f"see who has port {PORT} of {lab.gateway}: ss -ltnp",
                ) from None
        time.sleep(0.05)


def make_passwords(cloud: Cloud) -> None:
    """Those of the hosts' own controllers, which on other hosts their makers have."""
    for host in cloud.hosts:
        if host.bmc:
            cloud.secrets.get(pacemaker.password(host.name))


def prepare(lab: Lab, cloud: Cloud | None = None) -> bool:
    """Makes what the endpoint of `lab` needs: users and passwords, certificates. Whether any of it is new."""
    _certificate(lab)
    controllers = [host for host in cloud.hosts if host.bmc] if cloud else []
    pems = [_controller_certificate(lab, cloud, host) for host in controllers if cloud]
    record = _credentials(lab, [_controller(cloud, host) for host in controllers if cloud])
    return any([*pems, record])


def _controller(cloud: Cloud, host: Host) -> dict[str, Any]:
    assert host.bmc
    return {
        "host": host.name,
        "address": str(host.bmc.address),
        "port": host.bmc.port,
        "user": host.bmc.user,
        "password": str(cloud.secrets.get(pacemaker.password(host.name))),
    }


def _controller_certificate(lab: Lab, cloud: Cloud, host: Host) -> bool:
    """Under the cloud's own CA, which is what members check it against unless the cloud file names another."""
    path, pem = lab.directory / "tls" / f"{host.name}.pem", tls.controller_pem(cloud, host).encode()
    if path.exists() and path.read_bytes() == pem:
        return False
    write_atomically(path, pem, 0o600)
    return True


def _credentials(lab: Lab, controllers: list[dict[str, Any]]) -> bool:
    """Writes redfish.json: its own password is made once, its systems are those of today."""
    path = lab.directory / "redfish.json"
    before = path.read_text() if path.exists() else ""
    password = json.loads(before)["password"] if before else secrets.token_urlsafe(18)
    record = {
        "address": str(lab.gateway),
        "port": PORT,
        "user": "admin",
        "password": password,
        "systems": {host.name: f"{SYSTEMS}/{host.uuid}" for host in lab.hosts},
        "controllers": controllers,
    }
    text = json.dumps(record, indent=1) + "\n"
    if text == before:
        return False
    write_atomically(path, text.encode(), 0o600)
    return True


def _certificate(lab: Lab) -> None:
    """Makes tls/{key,certificate}.pem for the endpoint's address, signed by its own key."""
    directory = lab.directory / "tls"
    certificate = directory / "certificate.pem"
    if certificate.exists():
        return
    directory.mkdir(mode=0o700, exist_ok=True)
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "825"]
    argv += ["-subj", f"/CN=power of lab {lab.cloud}", "-addext", f"subjectAltName=IP:{lab.gateway}"]
    run([*argv, "-keyout", str(directory / "key.pem"), "-out", str(directory / "certificate.new")])
    (directory / "certificate.new").rename(certificate)


class _RefusedError(Exception):
    """status: HTTP; message: for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fournines-lab"
    timeout = 30  # of an idle connection, seconds
    cloud = ""
    authorization = ""
    only = ""  # the host whose controller this is; "": of all

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, act: Any) -> None:
        """Carries `act` out, which returns a resource, or None for 204; errors become Redfish's own."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        try:
            path = self.path.split("?")[0].rstrip("/")
            if path not in ("/redfish", "/redfish/v1"):  # DSP0266 13.3.4: these two need no login
                self._authenticate()
            self._send(200, act(path, body))
        except _RefusedError as refused:
            self._send(refused.status, _error(str(refused)))
        except FourninesError as error:
            self._send(500, _error(error.what))

    def _authenticate(self) -> None:
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), self.authorization.encode()):
            raise _RefusedError(401, "user or password is wrong")

    def _get(self, path: str, _: bytes) -> dict[str, Any]:
        if path == "/redfish":
            return {"v1": "/redfish/v1/"}
        if path == "/redfish/v1":
            return _root(self.cloud)
        lab = load(self.cloud)
        systems = [host for host in lab.hosts if self.only in ("", host.name)]
        if path == SYSTEMS:
            return _collection(systems)
        return _system(lab, _find(systems, path.removeprefix(f"{SYSTEMS}/")))

    def _post(self, path: str, body: bytes) -> None:
        lab = load(self.cloud)
        identity, slash, action = path.removeprefix(f"{SYSTEMS}/").partition("/")
        host = _find([host for host in lab.hosts if self.only in ("", host.name)], identity)
        if slash + action != "/Actions/ComputerSystem.Reset":
            raise _RefusedError(404, f"{path} is no action")
        try:
            wanted = json.loads(body)["ResetType"]
            pressed = RESETS[wanted]
        except (ValueError, KeyError, TypeError):
            raise _RefusedError(400, f"ResetType must be one of {', '.join(RESETS)}") from None
        power(self.cloud, host.name, pressed)
        self.log_message("%s %s", host.name, wanted)

    def _send(self, status: int, resource: dict[str, Any] | None) -> None:
        self.send_response(status if resource else 204)
        self.send_header("OData-Version", "4.0")
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="power"')
        body = b""
        if resource:
            body = json.dumps(resource).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _error(message: str) -> dict[str, Any]:
    return {"error": {"code": "Base.1.0.GeneralError", "message": message}}


def _root(cloud: str) -> dict[str, Any]:
    return {
        "@odata.id": "/redfish/v1/",
        "@odata.type": "#ServiceRoot.v1_15_0.ServiceRoot",
        "Id": "RootService",
        "Name": f"Power of lab {cloud}",
        "RedfishVersion": "1.15.0",
        "Systems": {"@odata.id": SYSTEMS},
        "Links": {},
    }


def _collection(systems: Sequence[LabHost]) -> dict[str, Any]:
    members = [{"@odata.id": f"{SYSTEMS}/{host.uuid}"} for host in systems]
    return {
        "@odata.id": SYSTEMS,
        "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
        "Name": "Systems",
        "Members@odata.count": len(members),
        "Members": members,
    }


def _system(lab: Lab, host: LabHost) -> dict[str, Any]:
    path = f"{SYSTEMS}/{host.uuid}"
    return {
        "@odata.id": path,
        "@odata.type": "#ComputerSystem.v1_20_0.ComputerSystem",
        "Id": host.uuid,
        "UUID": host.uuid,
        "Name": host.name,
        "SystemType": "Virtual",
        "Status": {"State": "Enabled", "Health": "OK"},
        "PowerState": "On" if is_on(lab.cloud, host.name) else "Off",
        "Actions": {
            "#ComputerSystem.Reset": {
                "target": f"{path}/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": list(RESETS),
            }
        },
    }


def _find(systems: Sequence[LabHost], identity: str) -> LabHost:
    for host in systems:
        if identity in (host.uuid, host.name):
            return host
    raise _RefusedError(404, f"there is no system {identity}")


class _Server(ThreadingHTTPServer):
    """TLS, with the handshake in the connection's own thread: a silent client must not hold up the others."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler], certificate: Path, key: Path | None) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        super().__init__(address, handler)

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        connection, peer = super().get_request()
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that speaks no TLS or goes away is its own trouble: one line in the log."""
        print(f"{client_address[0]}: {sys.exc_info()[1]}", file=sys.stderr)


def servers(cloud: str) -> list[ThreadingHTTPServer]:
    """The endpoint of the lab named `cloud`, then its hosts' own controllers: bound, not yet serving."""
    lab = load(cloud)
    record = json.loads((lab.directory / "redfish.json").read_text())
    folder = lab.directory / "tls"
    own = _server(cloud, record, folder / "certificate.pem", folder / "key.pem")
    return [own, *(_server(cloud, one, folder / f"{one['host']}.pem", None) for one in record.get("controllers", []))]


def _server(cloud: str, record: dict[str, Any], certificate: Path, key: Path | None) -> ThreadingHTTPServer:
    token = base64.b64encode(f"{record['user']}:{record['password']}".encode()).decode()
    known = {"cloud": cloud, "authorization": f"Basic {token}", "only": record.get("host", "")}
    handler = cast("type[_Handler]", type("Handler", (_Handler,), known))
    return _Server((record["address"], record["port"]), handler, certificate, key)


def serve(cloud: str) -> None:
    """Never returns."""
    own, *controllers = servers(cloud)
    for one in controllers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    own.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1])

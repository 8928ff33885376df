"""The load balancer of the image, with its configuration as it is rendered, before a backend that repeats what it gets."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fournines.services.front_door import REFUSED_IN_60_S
from fournines.services.keystone import LARGEST_REQUEST
from fournines.services.resource import File
from samples import cases
from services import test_programs as programs

pytestmark = pytest.mark.lab

#: Runs inside: HAProxy, backends at three addresses, clients of every kind. Prints what they saw, as JSON.
INSIDE = r"""
import http.client, http.server, json, socket, ssl, subprocess, sys, threading, time

asked = []

class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        own = self.server.server_address[0]
        asked.append((own, self.command, self.path))
        status = 200
        if self.path.startswith("/healthcheck"):
            pass
        elif "broken-at-once" in self.path and sum(a[2] == self.path for a in asked) == 1:
            status = 500
        elif "always-broken" in self.path:
            status = 500
        elif self.command == "POST" and b"wrong" in body:
            status = 401
        said = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_HEAD = answer

    def log_message(self, *args):
        pass

for last in (11, 12, 13):
    server = http.server.ThreadingHTTPServer((f"198.18.0.{last}", 5000), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()

log = open("/tmp/haproxy.log", "w")
haproxy = subprocess.Popen(["haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg"], stdout=log, stderr=log)
trust = ssl.create_default_context()
trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
PUBLIC, INTERNAL = "198.18.1.100", "198.18.0.100"
for _ in range(100):
    try:
        socket.create_connection((PUBLIC, 5000), 1).close()
        break
    except OSError:
        time.sleep(0.1)
else:
    sys.exit(open("/tmp/haproxy.log").read())
time.sleep(1.5)  # first health checks

def raw(host, request, tls=True, wait=5.0, port=5000, context=trust):
    started = time.monotonic()
    plain = socket.create_connection((host, port), 5)
    s = context.wrap_socket(plain) if tls else plain
    s.settimeout(wait)
    s.sendall(request)
    got = b""
    try:
        while chunk := s.recv(65536):
            got += chunk
    except (TimeoutError, ConnectionResetError):
        pass
    s.close()
    head, _, body = got.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1]) if head else 0
    headers = [line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:]]
    return {"status": status, "headers": headers, "body": body.decode(), "seconds": time.monotonic() - started}

def get(path, *headers, host=PUBLIC, tls=True):
    lines = [f"GET {path} HTTP/1.1", "Host: cloud.example.com:5000", "Connection: close", *headers, "", ""]
    return raw(host, "\r\n".join(lines).encode(), tls)

def post(path, body, host=PUBLIC, tls=True, length=None):
    head = f"POST {path} HTTP/1.1\r\nHost: c\r\nConnection: close\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return raw(host, head.encode() + body, tls)

def version(highest):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, highest
    try:
        with context.wrap_socket(socket.create_connection((PUBLIC, 5000), 5)) as s:
            return [s.version(), s.cipher()[0]]
    except (ssl.SSLError, OSError):
        return None

found = {}
found["forged"] = get("/v3", "Forwarded: for=1.2.3.4;host=evil;proto=http", "X-Forwarded-Proto: http",
                      "X-Forwarded-Host: evil", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Prefix: /evil",
                      "X_Forwarded_Proto: http", "x-real-ip: 1.2.3.4", "Proxy: http://evil", "X-Auth-Token: mine",
                      "X-Forwarded-For: 5.6.7.8")
found["inside"] = get("/v3", "Forwarded: proto=https;for=1.2.3.4", "X-Forwarded-Proto: https", host=INTERNAL, tls=False)
found["slow"] = raw(PUBLIC, b"GET /v3 HTTP/1.1\r\nHost: c\r\nX-Slow: ", wait=12.0)
found["large"] = post("/v3/users", b"x", length=LARGEST + 1)
found["fits"] = post("/v3/users", b"x" * 1000)
found["broken once"] = get("/v3/broken-at-once")
found["broken once asked"] = [a for a in asked if "broken-at-once" in a[2]]
found["always broken"] = get("/v3/always-broken")
found["always broken asked"] = [a for a in asked if "always-broken" in a[2]]
found["post broken"] = post("/v3/always-broken-post", b"{}")
found["post broken asked"] = [a for a in asked if "always-broken-post" in a[2]]
found["wrong"] = [post("/v3/auth/tokens", b"wrong")["status"] for _ in range(REFUSED + 10)]
found["right after"] = post("/v3/auth/tokens", b"right")["status"]
found["other request"] = get("/v3")["status"]
found["wrong inside"] = [post("/v3/auth/tokens", b"wrong", host=INTERNAL, tls=False)["status"] for _ in range(REFUSED + 10)]
found["tls 1.1"], found["tls 1.2"], found["tls 1.3"] = map(
    version, (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))
found["metrics"] = {
    source: raw_from for source, raw_from in (
        (source, subprocess.run(["curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "--interface", source,
                                 f"http://198.18.0.11:9300{path}"], capture_output=True, text=True).stdout)
        for source, path in (("198.18.0.11", "/metrics"), ("198.18.0.142", "/metrics")))}
found["alive"] = subprocess.run(["curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "--interface",
                                 "198.18.0.142", "http://198.18.0.11:9300/alive"], capture_output=True, text=True).stdout
haproxy.kill()
print(json.dumps(found))
""".replace("LARGEST", str(LARGEST_REQUEST)).replace("REFUSED", str(REFUSED_IN_60_S))


@cache
def _seen(directory: Path) -> dict[str, Any]:
    case = cases.read(cases.ROOT / "tests/services/haproxy/lan.yaml")
    tree, layer = directory / "tree", directory / "layer"
    layer.mkdir()
    for file in (r for r in case.resources(case.cloud(directory)) if isinstance(r, File)):
        target = tree / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.content)
    (tree / "opt").mkdir()
    (tree / "opt/inside.py").write_text(INSIDE)
    done = programs._run(
        programs._image(), layer, tree, "ulimit -n 65536; mkdir -p /run/haproxy; timeout 100 python3 /opt/inside.py"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return _seen(tmp_path_factory.mktemp("front"))


def of_client(answer: dict[str, Any]) -> list[list[str]]:
    """The headers that reached the backend."""
    return json.loads(answer["body"])


def test_what_a_client_says_of_proxies_is_replaced(seen: dict[str, Any]) -> None:
    arrived = of_client(seen["forged"])
    about = [h for h in arrived if "forward" in h[0] or "real" in h[0] or h[0] == "proxy"]
    (source,) = {v for n, v in about if n == "x-forwarded-for"}
    assert source.startswith("198.18.")
    assert sorted(about) == [["x-forwarded-for", source], ["x-forwarded-proto", "https"]]
    assert ["x-auth-token", "mine"] in arrived
    assert ["host", "cloud.example.com:5000"] in arrived
    assert ["x-forwarded-proto", "http"] in of_client(seen["inside"])
    assert not any(h[0] == "forwarded" for h in of_client(seen["inside"]))


def test_browsers_are_told_to_come_by_tls_alone(seen: dict[str, Any]) -> None:
    names = {name.lower(): value for name, value in seen["forged"]["headers"]}
    assert names["strict-transport-security"] == "max-age=63072000"
    assert "strict-transport-security" not in {name.lower() for name, _ in seen["inside"]["headers"]}


def test_a_header_that_does_not_end_is_cut_off(seen: dict[str, Any]) -> None:
    assert seen["slow"]["status"] == 408
    assert 4.0 < seen["slow"]["seconds"] < 8.0


def test_a_request_that_is_too_large_is_refused_before_it_is_sent(seen: dict[str, Any]) -> None:
    assert seen["large"]["status"] == 413
    assert seen["fits"]["status"] == 200


def test_a_500_of_what_may_be_repeated_is_asked_of_another_backend(seen: dict[str, Any]) -> None:
    assert seen["broken once"]["status"] == 200
    first, second = seen["broken once asked"]
    assert first[0] != second[0]
    assert seen["always broken"]["status"] == 500
    assert len(seen["always broken asked"]) == 4  # `retries 3`
    assert seen["post broken"]["status"] == 500
    assert len(seen["post broken asked"]) == 1


def test_who_guesses_passwords_is_stopped_and_nobody_else(seen: dict[str, Any]) -> None:
    assert seen["wrong"][0] == 401
    assert seen["wrong"][-1] == 429
    assert seen["wrong"].count(401) in (REFUSED_IN_60_S, REFUSED_IN_60_S + 1)
    assert seen["right after"] == 429
    assert seen["other request"] == 200
    assert set(seen["wrong inside"]) == {401}


def test_old_tls_is_refused(seen: dict[str, Any]) -> None:
    assert seen["tls 1.1"] is None
    assert seen["tls 1.2"][0] == "TLSv1.2"
    assert "ECDHE" in seen["tls 1.2"][1]
    assert seen["tls 1.3"][0] == "TLSv1.3"


def test_figures_are_for_the_control_plane(seen: dict[str, Any]) -> None:
    assert seen["metrics"] == {"198.18.0.11": "200", "198.18.0.142": "403"}
    assert seen["alive"] == "200"

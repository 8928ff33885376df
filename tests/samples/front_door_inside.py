"""A load balancer with three backends and clients of every kind, in a network namespace of its own; it is configured by
/etc/haproxy/haproxy.cfg. Prints what was seen, as JSON. Arguments: the largest request, how many may be refused.
"""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PUBLIC, INTERNAL = "198.18.1.100", "198.18.0.100"
LARGEST, REFUSED = (int(a) for a in sys.argv[1:3])
LOG = Path("/tmp/haproxy.log")

asked: list[tuple[str, str, str]] = []


class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked.append((str(self.server.server_address[0]), self.command, self.path))
        first = sum(a[2] == self.path for a in asked) == 1
        broken = "always-broken" in self.path or ("broken-at-once" in self.path and first)
        status = 500 if broken else 401 if self.command == "POST" and b"wrong" in body else 200
        said = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = answer  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: Any) -> None:
        pass


def trusting(highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, highest
    return context


TRUSTING = trusting()


def raw(host: str, request: bytes, *, wait: float = 10.0) -> dict[str, Any]:
    """The answer, until the other side hangs up. By TLS to the public VIP."""
    started = time.monotonic()
    plain = socket.create_connection((host, 5000), 5)
    got = b""
    with TRUSTING.wrap_socket(plain) if host == PUBLIC else plain as s:
        s.settimeout(wait)
        try:
            s.sendall(request)
            while chunk := s.recv(65536):
                got += chunk
        except OSError:
            pass
    head, _, body = got.partition(b"\r\n\r\n")
    headers = [line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:]]
    status = int(head.split(b" ")[1]) if head else 0
    return {"status": status, "headers": headers, "body": body.decode(), "seconds": time.monotonic() - started}


def get(path: str, *headers: str, host: str = PUBLIC) -> dict[str, Any]:
    lines = [f"GET {path} HTTP/1.1", "Host: cloud.example.com:5000", "Connection: close", *headers, "", ""]
    return raw(host, "\r\n".join(lines).encode())


def post(path: str, body: bytes, *, host: str = PUBLIC) -> dict[str, Any]:
    head = f"POST {path} HTTP/1.1\r\nHost: c\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return raw(host, head.encode() + body)


def version(highest: ssl.TLSVersion) -> list[Any] | None:
    try:
        with trusting(highest).wrap_socket(socket.create_connection((PUBLIC, 5000), 5)) as s:
            return [s.version(), (s.cipher() or ("",))[0]]
    except OSError:
        return None


def curl(source: str, path: str) -> str:
    what = ["-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", "--interface", source]
    url = f"http://198.18.0.11:9300{path}"
    return subprocess.run(["curl", *what, url], capture_output=True, text=True, check=False).stdout


def up() -> None:
    for _ in range(300):
        try:
            socket.create_connection((INTERNAL, 5000), 1).close()
            if get("/v3/up", host=INTERNAL)["status"] == 200:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(LOG.read_text())


def seen() -> dict[str, Any]:
    forged = ("Forwarded: for=1.2.3.4;host=evil;proto=http", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil",
              "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Prefix: /evil", "X_Forwarded_Proto: http", "x-real-ip: 1.2.3.4",
              "Proxy: http://evil", "X-Auth-Token: mine", "X-Forwarded-For: 5.6.7.8")  # fmt: skip
    found: dict[str, Any] = {"forged": get("/v3", *forged)}
    found["inside"] = get("/v3", "Forwarded: proto=https;for=1.2.3.4", "X-Forwarded-Proto: https", host=INTERNAL)
    found["slow"] = raw(PUBLIC, b"GET /v3 HTTP/1.1\r\nHost: c\r\nX-Slow: ", wait=15.0)
    found["large"] = post("/v3/users", b"x" * (LARGEST + 1))
    found["fits"] = post("/v3/users", b"x" * 1000)
    found["broken once"], found["always broken"] = get("/v3/broken-at-once"), get("/v3/always-broken")
    found["post broken"] = post("/v3/always-broken-post", b"{}")
    found["asked"] = asked.copy()
    found["wrong"] = [post("/v3/auth/tokens", b"wrong")["status"] for _ in range(REFUSED + 5)]
    found["right after"] = post("/v3/auth/tokens", b"right")["status"]
    found["other request"] = get("/v3")["status"]
    found["wrong inside"] = [post("/v3/auth/tokens", b"wrong", host=INTERNAL)["status"] for _ in range(REFUSED + 5)]
    old, middle, new = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    found["tls"] = [version(old), version(middle), version(new)]
    found["metrics"] = [curl("198.18.0.11", "/metrics"), curl("198.18.0.142", "/metrics")]
    found["alive"] = curl("198.18.0.142", "/alive")
    return found


def main() -> None:
    for last in (11, 12, 13):
        server = http.server.ThreadingHTTPServer((f"198.18.0.{last}", 5000), Backend)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with LOG.open("w") as log:
        balancer = subprocess.Popen(["haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg"], stdout=log, stderr=log)
    try:
        up()
        print(json.dumps(seen()))
    finally:
        balancer.kill()


main()

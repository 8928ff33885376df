"""What the load balancer does for the APIs behind it with strangers: TLS policy, headers, limits.

Services behind it believe `X-Forwarded-*` (oslo.middleware, Django), and `Forwarded` even before those: what a client
sends of them is removed, then HAProxy says what it saw. Limits are per source address and generous enough for a company
behind one address; who guesses passwords meets them, and Keystone's own lockout of the account.
"""

from __future__ import annotations

from typing import Any

from fournines.cloud.model import Cloud, Region
from fournines.services.capabilities import Frontend, control_plane

#: Mozilla's "intermediate" profile without DHE: forward secrecy and AEAD only. TLS 1.3's suites are all like that.
_CIPHERS = ":".join(
    f"ECDHE-{key}-{suite}"
    for suite in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
TLS = {
    "ssl-default-bind-options": "prefer-client-ciphers ssl-min-ver TLSv1.2 no-tls-tickets",
    "ssl-default-bind-ciphers": _CIPHERS,
    "ssl-default-bind-ciphersuites": "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
    "ssl-default-bind-curves": "X25519:P-256:P-384",
}

#: What the line about a request says. Its id: the caller's, and the one that the API gave it, to be found in their logs
#: (`fournines trace`). Without the query: Swift's temporary URLs are signed in it.
_REQUEST_ID = "header X-Openstack-Request-Id len 40"
LOGGED: dict[str, Any] = {
    "capture": [f"request {_REQUEST_ID}", f"response {_REQUEST_ID}"],
    "log-format": (
        '"%ci to %f, %b/%s: %ST %tsc after %Ta ms (queue %Tw, connect %Tc, response %Tr), %rc retries,'
        ' %HM %HPO, asked by %[capture.req.hdr(0)], as %[capture.res.hdr(0)]"'
    ),
}

#: Two years (RFC 6797): a browser that has been here asks by TLS alone.
_HSTS = "Strict-Transport-Security max-age=63072000 if { ssl_fc }"

#: Connections to one API: none can take all that HAProxy lets in, nor those of the database. How many that are in all
#: HAProxy derives from the descriptors that it may open: a number of ours that is too high would keep it from starting.
MAX_PER_FRONTEND = 10_000

#: Seconds for the header of a request, and for the body where it is held back: who needs longer is not a client.
HTTP_REQUEST = 5.0

#: Requests for tokens of one source in 10 s, and refused ones in 60 s. A password costs Keystone 0.3 s of a CPU.
TOKENS_IN_10_S = 500
REFUSED_IN_60_S = 30

_ISSUE = "{ method POST } { path /v3/auth/tokens }"


def rules(cloud: Cloud, region: Region, frontend: Frontend) -> dict[str, Any]:
    """Of one HTTP section, before what it does with requests that are let in."""
    section: dict[str, Any] = {}
    if frontend.issues_tokens:
        outside = f"{_ISSUE} {{ dst {region.vips.public} }}"
        section["stick-table"] = "type ip size 100k expire 2m store http_req_rate(10s),http_err_rate(1m)"
        section["http-request track-sc0"] = f"src if {outside}"
        section["http-request deny"] = [
            f"deny_status 429 if {outside} {{ {rate} gt {most} }}"
            for rate, most in (("sc_http_req_rate(0)", TOKENS_IN_10_S), ("sc_http_err_rate(0)", REFUSED_IN_60_S))
        ]
    if frontend.body:
        section.setdefault("http-request deny", []).append(f"deny_status 413 if {{ req.body_size gt {frontend.body} }}")
    if frontend.behind_proxy:
        section["option forwardfor"] = True
        section["http-request set-header"] = ["X-Forwarded-Proto %[ssl_fc,iif(https,http)]"]
        return section
    # WSGI makes `X_Forwarded_Proto` and `X-Forwarded-Proto` one variable. httpoxy: `Proxy` becomes HTTP_PROXY.
    section["http-request del-header"] = ["Forwarded", "Proxy", "^x[-_](forwarded|real[-_]ip) -m reg"]
    section["http-request set-header"] = ["X-Forwarded-Proto %[ssl_fc,iif(https,http)]", "X-Forwarded-For %[src]"]
    if frontend.public:
        section["http-response set-header"] = [_HSTS]
    return section


def metrics(cloud: Cloud, region: Region) -> dict[str, Any]:
    """Who may read the numbers that HAProxy keeps: hosts of the control plane. `/alive` says nothing and is open."""
    sources = " ".join(str(h.address) for h in control_plane(cloud, region.name))
    return {
        "acl control-plane": f"src {sources}",
        "http-request deny": "if { path /metrics } !control-plane",
        "http-request use-service": "prometheus-exporter if { path /metrics }",
    }

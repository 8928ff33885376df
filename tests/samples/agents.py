"""What the agents of a healthy cloud say, and hosts that answer with it."""

from __future__ import annotations

import time
from typing import Any

from fournines.engine.transport import Completed
from fournines.errors import HostError

HOSTS = ("ctl1", "ctl2", "ctl3")


def well(host: str, number: int) -> dict[str, Any]:
    """state.json of one host of a healthy cloud: ctl1 holds the VIPs, ctl2 takes the writes."""
    members = list(HOSTS)
    brokers = [f"rabbit@{h}" for h in HOSTS]
    return {
        "host": host,
        "region": "phx",
        "time": 1000.0,
        "uptime": 60.0,
        "peers": {h: {"heard": 0.02, "confirmed": True} for h in HOSTS if h != host},
        "starting": False,
        "guard": {
            "answered": 0.05,
            "voters": members,
            "vote": "ctl1",
            "votes": {h: "ctl1" for h in HOSTS if h != host},
            "degraded": False,
            "deaf": False,
            "delay": 0.004,
            "dropped": {},
        },
        "vip": {
            "held": ["198.18.0.100", "198.18.1.100"] if number == 0 else [],
            "may_hold": True,
            "granted": number == 0,
            "why": "",
            "arbitrated": True,
            "remaining": 0.31 if number == 0 else 0.0,
            "balancer": True,
            "clients": 0,
            "told": 0,
        },
        "galera": {
            "answered": 0.1,
            "error": "",
            "primary": True,
            "local_state": 4,
            "cluster": "u1",
            "seqno": 100 + number,
            "members": members,
            "receive_queue": 0,
            "recorded": {"host": "ctl2", "epoch": 1},
            "acting": number == 1,
            "choice": {"chosen": "", "why": "a Primary component exists or is being made", "missing": []},
        },
        "haproxy": {
            "proxies": {
                "mariadb": {h: server("UP" if h == "ctl2" else "DOWN") for h in HOSTS},
                "keystone": {h: server("UP") for h in HOSTS} | {"FRONTEND": server("OPEN"), "BACKEND": server("UP")},
            }
        },
        "rabbitmq": {
            "ok": True,
            "error": "",
            "nodes": [{"name": b, "running": True, "mem_alarm": False, "disk_free_alarm": False} for b in brokers],
            "queues": [
                {
                    "vhost": "/",
                    "name": "q",
                    "type": "quorum",
                    "leader": brokers[0],
                    "members": brokers,
                    "online": brokers,
                }
            ],
        },
        "memcached": {"ok": True, "error": ""},
        "keystone": {"ok": True, "error": ""},
        "units": {"units": {"mariadb.service": {"ActiveState": "active", "Result": "success"}}},
        "certificates": {"ends": {"/etc/haproxy/public.pem": time.time() + 90 * 86400}},
        "fernet": {"keys": 2, "age": 3600.0},
    }


def server(status: str) -> dict[str, str]:
    return {"status": status, "check_status": "", "check_desc": ""}


class FakeHost:
    """Answers the one exec of `look`."""

    def __init__(self, host: str, answer: Completed | HostError) -> None:
        self.host = host
        self._answer = answer

    async def run(self, script: str, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        if isinstance(self._answer, HostError):
            raise self._answer
        return self._answer

    async def put(self, path: str, content: bytes, *, mode: int, owner: str, group: str, timeout: float = 60.0) -> None:
        raise AssertionError("status writes nothing")

    async def close(self) -> None:
        pass

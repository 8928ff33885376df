"""Whether the broker that the cluster runs works: it confirms a message, which a quorum queue does once the message is
on its disk, and gives it back.

    broker-health make    makes the queue for that, where it is not there
    broker-health ask     exits 0 when the broker works; says why not

SETTINGS: {"url": of the management API, "cafile": path or null, "user": name, "password": text}
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SETTINGS = Path("/etc/fournines/rabbitmq-api.json")
VHOST, QUEUE = "fournines", "health"
#: Seconds for one request, of the monitor's 20.
PATIENCE = 5.0
#: Properties of a message that outlives the broker.
PERSISTENT = {"delivery_mode": 2}


class Broker:
    """One connection to the management API: of a new one the handshake would be most of the work."""

    def __init__(self, settings: dict[str, Any]) -> None:
        where = urlsplit(str(settings["url"]))
        trust = ssl.create_default_context(cafile=settings["cafile"]) if settings["cafile"] else None
        host, port = str(where.hostname), where.port
        self._link = (
            http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=trust)
            if trust
            else http.client.HTTPConnection(host, port, timeout=PATIENCE)
        )
        self._path = where.path
        login = base64.b64encode(f"{settings['user']}:{settings['password']}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        self._user = settings["user"]

    def close(self) -> None:
        self._link.close()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Raises OSError."""
        content = None if body is None else json.dumps(body)
        self._link.request(method, f"{self._path}{path}", content, self._headers)
        answer = self._link.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise OSError(f"{method} {path} is answered with {answer.status}: {said[:200].decode(errors='replace')}")
        return json.loads(said) if said else None

    def make(self) -> None:
        self.call("PUT", f"/vhosts/{VHOST}", {})
        self.call("PUT", f"/permissions/{VHOST}/{self._user}", {"configure": ".*", "write": ".*", "read": ".*"})
        # One message more would be one that nobody has fetched: of those that an earlier look left, the last stays.
        arguments = {"x-queue-type": "quorum", "x-max-length": 1}
        self.call("PUT", f"/queues/{VHOST}/{QUEUE}", {"durable": True, "arguments": arguments})

    def ask(self) -> str:
        """ "", or what is wrong. Raises OSError."""
        message = {"routing_key": QUEUE, "payload": "health", "payload_encoding": "string", "properties": PERSISTENT}
        sent = self.call("POST", f"/exchanges/{VHOST}/amq.default/publish", message)
        if not sent.get("routed"):
            return f"its queue {QUEUE} does not take a message"
        fetch = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
        return "" if self.call("POST", f"/queues/{VHOST}/{QUEUE}/get", fetch) else "it does not give a message back"


def main(words: list[str]) -> None:
    try:
        with closing(Broker(json.loads(SETTINGS.read_text()))) as broker:
            match words:
                case ["make"]:
                    broker.make()
                case ["ask"]:
                    if wrong := broker.ask():
                        sys.exit(wrong)
                case _:
                    sys.exit(__doc__)
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.exit(f"its management API: {error or type(error).__name__}")


if __name__ == "__main__":
    main(sys.argv[1:])

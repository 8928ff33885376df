"""Runs on a host: switches another host's power off by its controller's Redfish, and looks that it is off.

Standard input: {"url": "https://ADDRESS:PORT", "system": path of the system, "" for the only one, "user", "password",
"ca": certificates in PEM, "" where they are not verified}. Prints `off`.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
import urllib.request
from typing import Any

SYSTEMS = "/redfish/v1/Systems"
#: Seconds for the controller to answer once, and for the power to be off.
ANSWER, OFF = 10.0, 60.0


class Controller:
    def __init__(self, settings: dict[str, str]) -> None:
        self._url = settings["url"]
        login = f"{settings['user']}:{settings['password']}".encode()
        self._headers = {
            "Authorization": f"Basic {base64.b64encode(login).decode()}",
            "Content-Type": "application/json",
        }
        trust = ssl.create_default_context(cadata=settings["ca"] or None)
        if not settings["ca"]:
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )

    def call(self, path: str, body: object = None) -> Any:
        """Raises OSError; HTTPError, which is one, where the controller refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers)  # noqa: S310  # https, of the cloud file
        with self._opener.open(request, timeout=ANSWER) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def system(self) -> str:
        """Ends this program where the controller has several."""
        found = [member["@odata.id"] for member in self.call(SYSTEMS)["Members"]]
        if len(found) != 1:
            sys.exit(f"the controller has {len(found)} systems: say which in the cloud file, bmc: {{system: PATH}}")
        return found[0]


def off(controller: Controller, system: str) -> None:
    deadline = time.monotonic() + OFF
    if controller.call(system).get("PowerState") != "Off":
        controller.call(f"{system}/Actions/ComputerSystem.Reset", {"ResetType": "ForceOff"})
    while (state := controller.call(system).get("PowerState")) != "Off":
        if time.monotonic() > deadline:
            sys.exit(f"the controller was told to switch off, and says that the power is {state}")
        time.sleep(0.5)


def main() -> None:
    settings = json.load(sys.stdin)
    controller = Controller(settings)
    try:
        off(controller, settings["system"] or controller.system())
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"the power controller does not do it: {error}")
    print("off")


if __name__ == "__main__":
    main()

"""Alerts that fire, as Alertmanager's webhook tells of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from fournines.watch.decide import Condition

#: An alert of which nothing more is heard has ended after so long: Alertmanager tells again every 4 h. Seconds.
FORGOTTEN_S = 5 * 3600.0
#: At once; more are left out, the newest.
MOST = 1000

Text = Annotated[str, Field(max_length=2000)]


class Alert(BaseModel):
    status: str
    labels: dict[str, Text]
    annotations: dict[str, Text] = {}
    ends: str = Field(default="", alias="endsAt")
    fingerprint: Text = ""


class Message(BaseModel):
    """Version 4 of Alertmanager's webhook, as far as it matters here."""

    alerts: list[Alert]


class Alerts:
    """`hosts`: name and address -> name."""

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self._hosts = hosts
        self._firing: dict[str, tuple[Condition, float]] = {}  # until

    def hosts(self, hosts: Mapping[str, str]) -> None:
        """Those of the cloud file as it is now."""
        self._hosts = hosts

    def hear(self, message: Message, now: float) -> None:
        for alert in message.alerts:
            key = alert.fingerprint or repr(sorted(alert.labels.items()))
            if alert.status != "firing":
                self._firing.pop(key, None)
            elif key in self._firing or len(self._firing) < MOST:
                ends = _ends(alert.ends)
                self._firing[key] = self._condition(alert), ends if ends > now else now + FORGOTTEN_S

    def conditions(self, now: float) -> frozenset[Condition]:
        self._firing = {key: (c, until) for key, (c, until) in self._firing.items() if until > now}
        return frozenset(c for c, _ in self._firing.values())

    def _condition(self, alert: Alert) -> Condition:
        labels = alert.labels
        instance = labels.get("instance", "").rpartition(":")[0] or labels.get("instance", "")
        host = next((self._hosts[n] for n in (labels.get("host", ""), instance) if n in self._hosts), "")
        name = labels.get("alertname", "alert")
        text = alert.annotations.get("summary") or alert.annotations.get("description") or name
        return Condition("alert", host, name, " ".join(text.split()))


def _ends(text: str) -> float:
    """0.0 of none: Alertmanager writes the year 1."""
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, at)

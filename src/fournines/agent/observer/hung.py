"""Daemons that run and do nothing: stopped, or stuck in a wait that nothing ends. Pure.

Peers saw stalls of 90 to 155 s from one stopped worker, which only its being continued ended. Silence alone proves
nothing: load makes a daemon silent too. But one that load keeps from answering uses whatever CPU it gets, and one that
hangs uses none; so only a daemon that is silent *and* idle is killed, for systemd to start it again.
"""

from __future__ import annotations

#: Seconds for which a daemon must have been both.
HUNG = 5.0
#: Share of one CPU that a hung daemon may use: what a timer in its master process costs. One that wants to run gets far
#: more, even among hundreds of processes that want the same.
IDLE = 0.001


class Hung:
    """Of one daemon, from looks at it about once a second. Times in seconds, `cpu` in seconds used since it started."""

    def __init__(self) -> None:
        self._since: tuple[float, float] | None = None

    def look(self, at: float, excused: bool, cpu: float | None) -> bool:
        """Whether it has been silent and idle for `HUNG`. excused: it answers, or waits for a CPU. cpu None: it is not
        running."""
        if excused or cpu is None:
            self._since = None
        elif self._since is None or not 0 <= cpu - self._since[1] <= IDLE * (at - self._since[0]) + IDLE:
            self._since = (at, cpu)
        return self._since is not None and at - self._since[0] >= HUNG

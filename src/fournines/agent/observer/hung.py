"""Daemons that run and do nothing: stopped, or stuck in a wait that nothing ends. Pure.

Peers saw stalls of 90 to 155 s from one stopped worker, which only its being continued ended. Silence alone proves
nothing: load makes a daemon silent too. But one that load keeps from answering uses whatever CPU it gets, and one that
hangs uses none; so only a daemon that is silent *and* idle is killed, for systemd to start it again. One whose
processes are all stopped does not go on by itself, whatever it waits for: that one is killed sooner.
"""

from __future__ import annotations

#: Seconds for which a daemon must have been both.
HUNG = 5.0
#: Seconds for which all of a daemon's processes must have been stopped.
STOPPED = 0.7
#: Share of one CPU that a hung daemon may use: what a timer in its master process costs. One that wants to run gets far
#: more, even among hundreds of processes that want the same.
IDLE = 0.001


class Hung:
    """Of one daemon, from looks at it about once a second. Times in seconds, `cpu` in seconds used since it started."""

    def __init__(self) -> None:
        self._idle: tuple[float, float] | None = None
        self._stopped: float | None = None

    def look(self, at: float, excused: bool, cpu: float | None, stopped: bool = False) -> float | None:
        """For how long it has hung, once that is long enough to kill it; else None. excused: it answers, or waits for a
        CPU. cpu None: it is not running. stopped: none of its processes can run (`T` in ps)."""
        if excused or cpu is None:
            self._idle = None
        elif self._idle is None or not 0 <= cpu - self._idle[1] <= IDLE * (at - self._idle[0]) + IDLE:
            self._idle = (at, cpu)
        if not stopped:
            self._stopped = None
        elif self._stopped is None:
            self._stopped = at
        if self._stopped is not None and at - self._stopped >= STOPPED:
            return at - self._stopped
        if self._idle is not None and at - self._idle[0] >= HUNG:
            return at - self._idle[0]
        return None

"""A cut of exact length: one thread cuts the port, waits and joins it, whatever keeps its process busy meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
import time

from fournines.errors import LabError
from fournines.lab import network
from fournines.lab.state import Port

#: Of SCHED_FIFO: above the hosts' own daemons.
_PRIORITY = 60


class Cut:
    """`start` returns once the port is cut, and was seen to be. It is joined after `seconds`, or by `end`."""

    def __init__(self, port: Port, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self._cut = threading.Event()
        self._enough = threading.Event()
        self._error: LabError | None = None
        self._length = 0.0
        # Not a daemon: a process that ends joins what it cut.
        self._thread = threading.Thread(target=self._run, name=f"cut {port.device}")

    def start(self) -> None:
        """Raises LabError when the port is not there, or the switch does not cut it."""
        self._thread.start()
        self._cut.wait()
        if self._error:
            raise self._error

    def end(self) -> float:
        """Joins the port, if it is still cut. How long it was cut, in seconds. Raises LabError."""
        self._enough.set()
        self._thread.join()
        if self._error:
            raise self._error
        return self._length

    def _run(self) -> None:
        try:
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
            network.cut([self._port])
            began = time.monotonic()
            try:
                if not network.is_cut(self._port):
                    raise LabError("The switch did not cut a port", where=self._port.device)
                self._cut.set()
                self._enough.wait(self._seconds)
            finally:
                network.join([self._port])
                self._length = time.monotonic() - began
        except LabError as error:
            self._error = error
        finally:
            self._cut.set()

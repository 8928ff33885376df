"""One failure-detection budget, from which every timer of every daemon is derived."""

from fournines.timing.profiles import NAMES, PEERS, profile
from fournines.timing.resolve import timers
from fournines.timing.timers import Timers

__all__ = ["NAMES", "PEERS", "Timers", "profile", "timers"]

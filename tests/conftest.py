"""What every test of this tree needs of the process that runs it."""

import signal
from pathlib import Path

import pytest

# A shell starts its background jobs with SIGINT ignored, and so does what runs a CI job from one. Programs inherit
# that, Python then leaves it so, and a program that a test interrupts would go on.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

LAB = Path(__file__).parent / "lab"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test without a lab has 4 minutes, and ends the whole run when they are over: the exception that the signal
    method raises is for Hypothesis one failed example, which it then runs again, this time without a limit."""
    for item in items:
        if LAB not in item.path.parents:
            item.add_marker(pytest.mark.timeout(240, method="thread"))

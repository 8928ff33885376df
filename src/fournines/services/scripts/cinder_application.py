"""Cinder's application for uWSGI. Its policies are registered before its threads take requests.

By itself Cinder registers them during the first request that needs one; to another thread's request in that moment,
what is not registered yet is forbidden (`cinder.policy.init`). Managed by fournines.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def cinder() -> Any:
    application = importlib.import_module("cinder.wsgi.wsgi").initialize_application()
    importlib.import_module("cinder.policy").init()
    return application


if "uwsgi" in sys.modules:
    application = cinder()

"""The health agent: one daemon on every host.

It runs on the host's own Python (3.11 or newer) with the standard library and PyMySQL, outside any virtual environment,
so nothing here imports the rest of fournines. `services/agent.py` copies this package to /usr/lib/fournines/agent/ and
starts it as `python3 -m agent` with PYTHONPATH=/usr/lib/fournines.

What decides is a pure function (`lease`, `writer`, `heal`, `galera_start`); what touches the world is beside it.
"""

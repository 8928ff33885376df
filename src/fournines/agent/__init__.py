"""What runs on every host: two processes, so that the one that decides who serves never waits for a daemon.

`guard`     heartbeats, votes, the VIP's lease, departures. Small, locked in memory, real-time; it fails closed.
`observer`  everything that talks to daemons: database, bus, load balancer, HTTP. It may hang or crash.

Both run on the host's own Python (3.11 or newer) with the standard library, the observer with PyMySQL, outside any
virtual environment, so nothing here imports the rest of fournines. `services/agent.py` copies this package to
/usr/lib/fournines/agent/; the units start it as `python3 -m agent.guard` and `python3 -m agent.observer`.

What decides is a pure function (`votes`, `departure`, `writer`, `primary`, `galera_start`); what touches the world is
beside it. docs/decisions/0020-guard-and-observer.md has the argument.
"""

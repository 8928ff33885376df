"""The load: an open loop of probes in a process of its own, so that no other work can stall it."""

"""The observer: what the daemons of this host do, and what is done about it."""

"""Programs that run on hosts, with Python's own library and what the host's packages bring: `services` puts them there
as they are."""

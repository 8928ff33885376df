"""The REST API and the dashboard: the same functions as the command line's, over HTTPS."""

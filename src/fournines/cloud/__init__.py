"""What the operator wants: the cloud file, typed, with errors that name file, line and column."""

from fournines.cloud.file import inspect, json_schema, load

__all__ = ["inspect", "json_schema", "load"]

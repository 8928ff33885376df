"""The cloud file: text in, `model.Cloud` out, or every problem of it at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from fournines.cloud import versions
from fournines.cloud.limits import MOST_BYTES
from fournines.cloud.model import Cloud
from fournines.cloud.one_line import broken_lines
from fournines.cloud.resolve import resolve
from fournines.cloud.roles import Catalogue
from fournines.cloud.schema import CloudFile
from fournines.cloud.secrets import Secrets
from fournines.cloud.source import parse
from fournines.cloud.validate import validate
from fournines.errors import CloudFileError, Problem


def load(path: str | Path, catalogue: Catalogue) -> Cloud:
    """The cloud of the file at `path`, with the secrets and the lock of versions that lie beside it; `services.load`
    knows the catalogue.

    Raises CloudFileError: the file cannot be read (`problems` is empty then), or holds what cannot be used.
    """
    cloud, problems = inspect(path, catalogue)
    if cloud is None or problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise CloudFileError(f"{path} cannot be used: {count}", tuple(problems))
    return replace(
        cloud,
        secrets=Secrets.load(cloud.source.parent / f"{cloud.name}.secrets.yaml"),
        versions=versions.load(versions.beside(cloud.source, cloud.name)),
    )


def inspect(path: str | Path, catalogue: Catalogue) -> tuple[Cloud | None, list[Problem]]:
    """For `check`: what can be made of the file (None: nothing), and what is wrong with it, in file order.

    With problems, the cloud lacks the parts that they concern. Its secrets are in memory only. Raises CloudFileError
    when the file cannot be read.
    """
    path = Path(path)
    data, places, problems = parse(_text(path), str(path))
    if data is None and problems:
        return None, problems
    data, found = broken_lines(data, places)
    problems += found
    written, found = validate(data, places)
    problems += found
    cloud = None
    if written:
        cloud, found = resolve(written, places, path.absolute(), catalogue)
        problems += found
    return cloud, sorted(problems, key=lambda p: (p.line, p.column))


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the cloud file, for editors and other tools."""
    schema = CloudFile.model_json_schema(schema_generator=_Untitled)
    return {"$schema": _Untitled.schema_dialect, **schema, "title": "fournines cloud file"}


class _Untitled(GenerateJsonSchema):
    """Without a title per key, which only repeats the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            why = f"a cloud file has at most {MOST_BYTES:,} bytes"
            raise CloudFileError(
                f"{path} is too large", why=why, next="ranges such as cmp[001-100] stand for many hosts"
            )
        return content.decode()
    except FileNotFoundError:
        raise CloudFileError(
            f"{path} does not exist", next="copy examples/three-controllers.yaml and begin from there"
        ) from None
    except UnicodeDecodeError as error:
        raise CloudFileError(f"{path} is not UTF-8 text", why=f"{error.reason} at byte {error.start}") from None
    except (OSError, ValueError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise CloudFileError(f"{path} cannot be read", why=why) from None

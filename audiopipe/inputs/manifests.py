"""Manifests: CSV and JSONL files with one line per clip."""

import csv
import io
import json
import os
from collections.abc import Iterator
from typing import Any

from audiopipe import checks
from audiopipe.errors import InputError
from audiopipe.inputs import metadata_types
from audiopipe.inputs.source import Source
from audiopipe.storage import files

MANIFEST_EXTENSIONS = (".csv", ".jsonl")


def scan_manifest(path: str) -> Iterator[Source]:
    """Lists the clips of a manifest in its own order.

    Args:
        path: A CSV or JSONL file with a column `path` and optionally a column `id`. Relative paths are relative to the
            folder of the manifest. The other columns become metadata.

    Yields:
        A `Source` for each clip.

    Raises:
        InputError: If the file is malformed, or a clip has no path.
    """
    folder = path[: path.rfind("/") + 1]
    for number, row in _rows(path):
        where = f"{path!r}, line {number}"
        if not isinstance(row, dict) or not row.get("path") or not isinstance(row["path"], str):
            raise InputError(f"{where}: every clip needs a path. Received: {row!r}. Expected a column or key 'path'.")
        audio = row.pop("path")
        identity = row.pop("id", None)
        identity = audio if identity is None else str(identity)
        if not identity:
            raise InputError(f"{where}: the id is empty. Give the clip an id, or leave out the column.")
        metadata_types.check_text(audio, where)
        metadata_types.check_text(identity, where)
        metadata_types.check_columns(row, where)
        located = audio if files.is_remote(audio) or os.path.isabs(audio) else files.join(folder, audio)
        yield Source(id=identity, path=located, metadata=row)


def _rows(path: str) -> Iterator[tuple[int, Any]]:
    with files.open_binary(path) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text:
        try:
            if path.lower().endswith(".csv"):
                reader = csv.DictReader(text, strict=True)
                names = reader.fieldnames or []
                twice = sorted({name for name in names if list(names).count(name) > 1})
                if twice:
                    raise InputError(f"{path!r} must have each column once. Received twice: {', '.join(twice)}.")
                for row in reader:
                    if None in row or None in row.values():
                        raise InputError(
                            f"{path!r}, line {reader.line_num}: expected {len(reader.fieldnames or [])} values, as in "
                            f"the first line. Received: {[value for value in row.values() if value is not None]!r}."
                        )
                    yield reader.line_num, row
            else:
                for number, line in enumerate(text, start=1):
                    if line.strip():
                        yield number, _json_line(line, f"{path!r}, line {number}")
        except (csv.Error, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path!r} cannot be read as a manifest: {error}. Expected UTF-8 CSV or JSONL.") from error


def _json_line(line: str, where: str) -> Any:
    try:
        return json.loads(line, object_pairs_hook=checks.unique_keys)
    except ValueError as error:
        raise InputError(f"{where}: expected a JSON object. Received: {line.strip()[:60]!r} ({error}).") from error

"""State of the local files that the rows of a dataset refer to, so that a cache notices when a file changes."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.storage import files

ROWS_AT_ONCE = 10_000
ROWS_PER_THREAD = 500
THREADS = 8  # network storage answers slowly, and one request at a time would take longer than reading the result
LOCAL_SCHEMES = ("file://", "local://")  # of fsspec's local file system


def state(dataset: datasets.Dataset, column: str) -> str:
    """Returns a text that changes when a local audio file of a dataset changes, appears or vanishes.

    It depends on the size, the modification time in nanoseconds and the permissions of each file. Rows with stored
    bytes or decoded samples have no part in it, nor have remote paths. Each file takes one request to the file system.
    Memory holds the paths of 10,000 rows, and one byte per row if the dataset selects or shuffles rows.

    Args:
        dataset: The dataset.
        column: Name of its audio column, which holds paths, or audio as `datasets` stores it.

    Returns:
        64 hexadecimal characters. An empty string if no row refers to a local file.
    """
    digest, found = hashlib.sha256(), False
    with ThreadPoolExecutor(THREADS, "audiopipe-files") as pool:
        for paths in _paths(dataset, column):
            parts = [paths[start : start + ROWS_PER_THREAD] for start in range(0, len(paths), ROWS_PER_THREAD)]
            for states in pool.map(_states, parts):
                found = found or bool(states)
                digest.update(states.encode())
    return digest.hexdigest() if found else ""


def _paths(dataset: datasets.Dataset, column: str) -> Iterator[list[Any]]:
    """Yields the paths in a column, in the order in which they are stored. Rows without a path to read may be None.

    The stored bytes of audio are not read.
    """
    stored, selected = dataset.data.column(column), None
    if dataset._indices is not None:
        selected = np.zeros(len(stored), bool)
        for chunk in dataset._indices.column(0).iterchunks():
            selected[chunk.to_numpy()] = True
    begin = 0
    for chunk in stored.iterchunks():
        for start in range(0, len(chunk), ROWS_AT_ONCE):
            piece = chunk.slice(start, ROWS_AT_ONCE)
            chosen = None if selected is None else selected[begin + start : begin + start + len(piece)]
            yield _paths_in(piece, chosen)
        begin += len(chunk)


def _paths_in(values: pa.Array, chosen: np.ndarray | None) -> list[Any]:
    """Returns the paths in some values of a column, those of the chosen rows only."""
    kind, wanted = values.type, chosen
    if pa.types.is_struct(kind):
        names = {kind.field(index).name for index in range(kind.num_fields)}
        if "path" not in names:
            return []
        if "bytes" in names:  # stored bytes are read instead of the path
            without_bytes = pc.is_null(pc.struct_field(values, "bytes")).to_numpy(zero_copy_only=False)
            wanted = without_bytes if chosen is None else chosen & without_bytes
        values = pc.struct_field(values, "path")
        kind = values.type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return [None if path is None else os.fsdecode(path) for path in _filtered(values, wanted)]
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return _filtered(values, wanted) if is_text else []


def _filtered(values: pa.Array, wanted: np.ndarray | None) -> list[Any]:
    return (values if wanted is None else values.filter(pa.array(wanted))).to_pylist()


def _local(path: str | None) -> str | None:
    """Returns a path without the scheme of local files, or None for a remote path."""
    for scheme in LOCAL_SCHEMES:
        if path is not None and path.startswith(scheme):
            path = path.removeprefix(scheme)
    return None if path is None or files.is_remote(path) else path


def _states(paths: list[Any]) -> str:
    """Returns the states of the local files among some paths."""
    return "".join(_state(path) for path in map(_local, paths) if path is not None)


def _state(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError as error:
        return f"{error.errno};"
    except ValueError:  # no file can have such a path
        return "none;"
    return f"{found.st_size},{found.st_mtime_ns},{found.st_mode};"

"""Gathering of rows from parts that are read one by one: row groups of an index, or feature sets that are joined."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

Rows = range | np.ndarray
"""Numbers of rows, in any order. A range of consecutive rows takes no memory and is read without copying."""


def gather(
    rows: Rows, starts: np.ndarray, read: Callable[[int, Rows], pa.Array | pa.ChunkedArray], kind: pa.DataType
) -> pa.ChunkedArray:
    """Returns the values of rows.

    Args:
        rows: Numbers of the rows.
        starts: Number of the first row of each part, and the number of all rows: int64 `[parts + 1]`.
        read: Function that returns the values of rows of a part, given the number of the part and the numbers of the
            rows in it, in ascending order. It is called only for parts that contain some of the rows.
        kind: Type of the values.

    Example:
        >>> parts = [pa.array([10, 11]), pa.array([12, 13])]
        >>> read = lambda part, rows: pick(parts[part], rows)
        >>> gather(np.array([3, 0]), np.array([0, 2, 4]), read, pa.int64()).to_pylist()
        [13, 10]
    """
    order = None
    if isinstance(rows, range) and rows.step == 1:
        places = np.clip(starts, rows.start, max(rows.start, rows.stop))
        found: list[Rows] = [
            range(start, stop) for start, stop in zip(places[:-1] - starts[:-1], places[1:] - starts[:-1], strict=True)
        ]
    else:
        ordered = np.asarray(rows, np.int64)
        if (np.diff(ordered) < 0).any():
            order = np.argsort(ordered, kind="stable")
            ordered = ordered[order]
        places = np.searchsorted(ordered, starts)
        found = [ordered[places[part] : places[part + 1]] - starts[part] for part in range(len(starts) - 1)]
    chunks: list[pa.Array] = []
    for part in np.flatnonzero(np.diff(places)):
        values = read(int(part), found[part])
        chunks.extend(values.chunks if isinstance(values, pa.ChunkedArray) else [values])
    gathered = pa.chunked_array(chunks, type=kind)
    if order is None:
        return gathered
    positions = np.empty_like(order)
    positions[order] = np.arange(len(order))
    return gathered.take(pa.array(positions))


def pick(array: pa.Array, rows: Rows) -> pa.Array:
    """Returns rows of an array, without a copy if they are consecutive."""
    if isinstance(rows, range) and rows.step == 1:
        return array.slice(rows.start, len(rows))
    return array.take(pa.array(rows))

"""Conversion of features between Arrow and NumPy, without Python lists in between.

Arrow stores a column of arrays as nested lists. One buffer holds the values of all rows, and each row is a slice of it.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from audiopipe.errors import ArgumentError


def to_numpy(column: pa.ChunkedArray) -> list[np.ndarray | None]:
    """Returns the rows of a column as arrays that share its memory.

    Args:
        column: float32 values as `Array2D`, `Array3D` or nested lists, whose lengths may be part of the type.

    Returns:
        One array per row, None for a null row.

    Raises:
        ArgumentError: If a row is ragged, or the values are not float32.

    Example:
        >>> to_numpy(pa.chunked_array([[[[1, 2], [3, 4]], None]], pa.list_(pa.list_(pa.float32()))))
        [array([[1., 2.],
               [3., 4.]], dtype=float32), None]
    """
    arrays: list[np.ndarray | None] = []
    for chunk in column.chunks:
        missing = chunk.is_null().to_pylist()
        level = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
        offsets = []
        while _is_list(level.type):
            if pa.types.is_fixed_size_list(level.type):
                size, count = level.type.list_size, len(level)
                offsets.append(np.arange(count + 1) * size)
                level = level.values.slice(level.offset * size, count * size)
            else:
                offsets.append(_values(level.offsets))
                level = level.values
        if level.type != pa.float32():
            raise ArgumentError(f"A feature must be float32. Received: values of type {level.type}.")
        values = _values(level)
        arrays.extend(None if missing[row] else _row(offsets, values, row) for row in range(len(chunk)))
    return arrays


def to_arrow(arrays: Sequence[np.ndarray], kind: pa.DataType) -> pa.Array:
    """Returns an Arrow column that holds one array per row.

    Args:
        arrays: float32 arrays of equal rank.
        kind: Arrow type of the column, as `datasets` declares it.

    Returns:
        An Arrow array of type `kind`.

    Example:
        >>> to_arrow([np.ones((2, 1), "float32")], pa.list_(pa.list_(pa.float32()))).to_pylist()
        [[[1.0], [1.0]]]
    """
    lists = pa.array(np.concatenate([array.reshape(-1) for array in arrays]), pa.float32())
    for axis in reversed(range(arrays[0].ndim)):
        sizes = np.repeat(
            [array.shape[axis] for array in arrays], [int(np.prod(array.shape[:axis])) for array in arrays]
        )
        lists = pa.ListArray.from_arrays(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32), lists)
    if isinstance(kind, pa.ExtensionType):
        return pa.ExtensionArray.from_storage(kind, lists.cast(kind.storage_type))
    return lists.cast(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _values(column: pa.Array) -> np.ndarray:
    """Returns numbers as an array that shares their memory, if none is null."""
    if column.null_count or not len(column):
        return column.to_numpy(zero_copy_only=False)
    return np.from_dlpack(column)  # `to_numpy` would import pandas, which takes half a second


def _row(offsets: list[np.ndarray], values: np.ndarray, row: int) -> np.ndarray:
    start, stop, shape = row, row + 1, []
    for ends in offsets:
        sizes = np.diff(ends[start : stop + 1])
        size = int(sizes[0]) if len(sizes) else 0
        if (sizes != size).any():
            raise ArgumentError(
                f"A feature must be an array. Received: lists of unequal lengths, {sizes.min()} and {sizes.max()}."
            )
        shape.append(size)
        start, stop = int(ends[start]), int(ends[stop])
    return values[start:stop].reshape(shape)

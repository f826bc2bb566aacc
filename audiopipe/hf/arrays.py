"""Features between Arrow and NumPy, without Python lists in between.

A column of arrays is lists of lists of values in Arrow: the values stand in one piece of memory, and a row's are a
stretch of it.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from audiopipe.errors import ArgumentError


def to_numpy(column: pa.ChunkedArray) -> list[np.ndarray | None]:
    """The arrays of a column, which share its memory.

    Args:
        column: Arrays of float32: `Array2D`, `Array3D`, or nested lists.

    Returns:
        An array for each row, None for a row that is null.

    Raises:
        ArgumentError: If a row is no array, or its values are not float32.

    Example:
        >>> to_numpy(pa.chunked_array([[[[1, 2], [3, 4]], None]], pa.list_(pa.list_(pa.float32()))))
        [array([[1., 2.],
               [3., 4.]], dtype=float32), None]
    """
    arrays: list[np.ndarray | None] = []
    for chunk in column.chunks:
        missing = chunk.is_null().to_numpy(zero_copy_only=False)
        level = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
        offsets = []
        while pa.types.is_list(level.type) or pa.types.is_large_list(level.type):
            offsets.append(level.offsets.to_numpy())
            level = level.values
        if level.type != pa.float32():
            raise ArgumentError(f"A feature must be float32. Received: values of type {level.type}.")
        values = level.to_numpy(zero_copy_only=False)
        arrays.extend(None if missing[row] else _row(offsets, values, row) for row in range(len(chunk)))
    return arrays


def to_arrow(arrays: Sequence[np.ndarray], kind: pa.DataType) -> pa.Array:
    """A column of arrays.

    Args:
        arrays: Arrays of float32 of one rank.
        kind: The column's type in Arrow, as `datasets` has it.

    Returns:
        An array of that type.

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


def _row(offsets: list[np.ndarray], values: np.ndarray, row: int) -> np.ndarray:
    start, stop, shape = row, row + 1, []
    for ends in offsets:
        sizes = np.diff(ends[start : stop + 1])
        size = int(sizes[0]) if len(sizes) else 0
        if (sizes != size).any():
            raise ArgumentError(
                f"A feature must be an array. Received: lists of {sizes.min()} and of {sizes.max()} items side by side."
            )
        shape.append(size)
        start, stop = int(ends[start]), int(ends[stop])
    return values[start:stop].reshape(shape)

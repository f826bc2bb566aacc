"""Columns of lists as padded batches."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import MISSING_LIST


def is_list(kind: pa.DataType) -> bool:
    """Returns whether an Arrow type is that of lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def padded(name: str, column: pa.ChunkedArray, dtype: tf.DType) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lists of a batch, padded to the longest one, and their lengths.

    Args:
        name: Name of the column, for error messages.
        column: One list per row.
        dtype: Dtype of the items.

    Returns:
        The items `[batch, longest list]`, where integers and floats are padded with -1, text with empty text and
        booleans with False, and the lengths, int64 `[batch]`. The length of a missing list is -1.

    Raises:
        ArgumentError: If an item is missing, or an integer does not fit in 64 bits.

    Example:
        >>> padded("tags", pa.chunked_array([[[7, 8], [], None]]), tf.int64)
        (array([[ 7,  8],
               [-1, -1],
               [-1, -1]]), array([ 2,  0, -1]))
    """
    items = pc.list_flatten(column)
    if items.null_count:
        raise ArgumentError(
            f"The lists of a column must not have missing items. Received: {name!r} with nulls inside a list. Fill "
            "them in, or leave the column out: columns=[...]."
        )
    lengths = pc.fill_null(pc.list_value_length(column), MISSING_LIST).to_numpy().astype(np.int64)
    shape = [len(lengths), max(0, lengths.max())]
    if dtype == tf.string:
        batch = np.full(shape, b"", object)
    else:
        batch = np.full(shape, False if dtype == tf.bool else -1, dtype.as_numpy_dtype)
    batch[np.arange(batch.shape[1]) < lengths[:, np.newaxis]] = _values(name, items, dtype)
    return batch, lengths


def _values(name: str, items: pa.ChunkedArray, dtype: tf.DType) -> np.ndarray:
    if dtype == tf.string:
        return np.array([item.encode() for item in items.to_pylist()], object)
    if not dtype.is_integer:
        return items.to_numpy()
    try:
        return items.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise ArgumentError(
            f"Integers must fit in 64 bits. Received: {name!r}: {error}. Cast the column to text."
        ) from error

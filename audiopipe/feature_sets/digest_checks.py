"""Comparison of some rows of a dataset or a Parquet file with their digests, before it is said which feature they hold.

This module does not import `datasets`: it reads the datasets that it gets.
"""

import itertools
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audiopipe.errors import ArgumentError, FingerprintError
from audiopipe.feature_sets import row_digests
from audiopipe.feature_sets.arrow_features import to_numpy
from audiopipe.feature_sets.identities import Identity
from audiopipe.feature_sets.row_digests import RowDigests

ROWS = 32  # that are read of a dataset or a file
BUFFER = 1 << 20  # bytes of a Parquet file that are read at once


def digests_of(features: Mapping[str, Any], feature: str, identities: Mapping[str, Identity]) -> RowDigests:
    """Returns the comparison of the rows of a dataset with their digests.

    Args:
        features: Type of each column, as in `datasets.Dataset.features`.
        feature: Name of the feature column.
        identities: Identity of each feature column, by the name of the column.

    Raises:
        FingerprintError: If there is no column with the digests of the feature.
    """
    return _digests(feature, identities, row_digests.text_ids(features))


def check_dataset(dataset: Any, feature: str, identities: Mapping[str, Identity]) -> None:
    """Raises an error unless rows of a dataset have the values of the feature that the type of a column names.

    Looks for rows without a digest everywhere, and compares the values of `ROWS` rows, evenly spaced and with the first
    and the last, or of the first row with a feature if the dataset is streaming. They are read one at a time.

    Args:
        dataset: A `datasets.Dataset` or `IterableDataset`.
        feature: Name of the feature column.
        identities: Identity of each feature column, by the name of the column.

    Raises:
        FingerprintError: If digests are missing or differ, or the dataset shows its rows through a function.
    """
    digests = digests_of(dataset.features, feature, identities)
    if isinstance(dataset, sys.modules["datasets"].IterableDataset):
        _check_first(dataset, feature, digests)
        return
    check_stored(dataset)
    rows = dataset.with_format("arrow", columns=[feature, digests.column])
    for number in _without_digest(dataset, feature, digests.column):
        array, _ = _row(rows, number, feature, digests)
        if array is not None and array.size:
            raise digests.missing(number)
    for number in spaced(len(rows), ROWS):
        digests.check(number, *_row(rows, number, feature, digests))


def check_stored(dataset: Any) -> None:
    """Raises an error if the rows of a dataset are what a function returns, which nothing is known of.

    Raises:
        FingerprintError: If the dataset was made by `with_transform` or `set_transform`.
    """
    if dataset.format["type"] == "custom":
        raise FingerprintError(
            "The rows of a dataset must be the stored ones. Received: a dataset whose rows are what a function of "
            "with_transform or set_transform returns. Pass the stored rows: dataset.with_format(None)."
        )


def check_parquet(file: Any, feature: str, identities: Mapping[str, Identity], ids: Mapping[str, str | None]) -> None:
    """Raises an error unless rows of a Parquet file have the values of the feature that the description names.

    Compares `ROWS` rows: the first ones of row groups, evenly spaced, so that little of a large file is read.

    Args:
        file: The open file.
        feature: Name of the feature column.
        identities: Identity of each feature column, by the name of the column.
        ids: The `id` of each column of text, by the name of the column.

    Raises:
        FingerprintError: If digests are missing or differ.
    """
    digests = _digests(feature, identities, ids)
    table = pq.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False)
    sizes = [table.metadata.row_group(number).num_rows for number in range(table.num_row_groups)]
    starts = np.cumsum([0, *sizes])
    for group in spaced(len(sizes), ROWS):
        wanted = -(-ROWS // min(len(sizes), ROWS))
        batches = table.iter_batches(1, row_groups=[group], columns=[feature, digests.column], use_threads=False)
        for place, batch in enumerate(itertools.islice(batches, wanted)):
            digests.check(int(starts[group]) + place, *_values(batch, feature, digests))


def spaced(count: int, most: int) -> list[int]:
    """Returns at most `most` numbers below `count`, evenly spaced, with the first and the last.

    Example:
        >>> spaced(101, 5), spaced(3, 5), spaced(0, 5)
        ([0, 25, 50, 75, 100], [0, 1, 2], [])
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)).tolist()


def _digests(feature: str, identities: Mapping[str, Identity], ids: Mapping[str, str | None]) -> RowDigests:
    fingerprints = {name: identity.fingerprint for name, identity in identities.items()}
    return RowDigests(feature, row_digests.column_of(feature, fingerprints, ids), identities[feature])


def _check_first(dataset: Any, feature: str, digests: RowDigests) -> None:
    """Checks the first row with a feature among the first ones of a streaming dataset."""
    rows = dataset.select_columns([feature, digests.column]).with_format("numpy")
    for number, row in enumerate(itertools.islice(rows, ROWS)):
        array = read_array(row[feature])
        if array is not None:
            digests.check(number, array, read_text(row[digests.column]))
            return


def read_array(feature: Any) -> np.ndarray | None:
    """Returns the feature of a row that was read in NumPy format or as Python objects.

    None if it has no frames or is missing, which the NumPy format shows as NaN.
    """
    array = None if feature is None else np.asarray(feature, np.float32)
    return array if array is not None and array.ndim and array.size else None


def read_text(value: Any) -> str | None:
    """Returns a text of a row that was read in NumPy format or as Python objects. None if it is missing."""
    value = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    return value if isinstance(value, str) else None


def _without_digest(dataset: Any, feature: str, column: str) -> list[int]:
    """Returns the numbers of the rows with a feature, which may have no frames, and without a digest."""
    valid = [np.asarray(pc.is_valid(dataset.data.column(name))) for name in (feature, column)]
    lacking = valid[0] & ~valid[1]
    if dataset._indices is not None and lacking.any():
        lacking = lacking[np.asarray(dataset._indices.column(0))]
    return np.flatnonzero(lacking).tolist()


def _row(rows: Any, number: int, feature: str, digests: RowDigests) -> tuple[np.ndarray | None, str | None]:
    return _values(rows[number], feature, digests)


def _values(table: Any, feature: str, digests: RowDigests) -> tuple[np.ndarray | None, str | None]:
    """Returns the feature and the digest in an Arrow table of one row."""
    column = table[feature]
    chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    try:
        [array] = to_numpy(chunked)
    except ArgumentError as error:
        raise FingerprintError(
            f"The column {feature!r} must hold the feature that its type names: {error} Write changed values to a "
            "column of another name."
        ) from error
    return array, table[digests.column][0].as_py()

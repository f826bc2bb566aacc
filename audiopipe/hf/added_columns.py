"""Columns that a map adds beside the ones it keeps."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import datasets

from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import row_digests
from audiopipe.hf.count_columns import count_types, counted_beside
from audiopipe.hf.types import digest_type, feature_type
from audiopipe.transform.transform import Transform


class AddedColumns:
    """Columns that the rows of a dataset get from a transform: the feature, its numbers of frames and its digests.

    If kept columns already count the frames of another feature, the new numbers are called `<feature>_n_frames` and
    `<feature>_valid_frames`. They are `n_frames` and `valid_frames` otherwise.

    Args:
        transform: The transform.
        kept: The types of the columns that are kept.
        shown: Names of text columns that the map adds as well.

    Attributes:
        feature: Name of the feature column.
        counts: Names of the columns with numbers of frames.
        digest: Name of the column with the digests.
        types: Types of all new columns, by name.

    Raises:
        ArgumentError: If a kept column or another new one has the name of a new one.
    """

    def __init__(self, transform: Transform, kept: Mapping[str, Any], shown: Sequence[str] = ()):
        config, feature = transform.config, transform.feature
        numbers = count_types(config, beside=counted_beside(kept, feature, config))
        self.feature = feature
        self.counts = list(numbers)
        self.digest = row_digests.name_of(feature)
        others = {**numbers, self.digest: digest_type(config.fingerprint)} | dict.fromkeys(
            shown, datasets.Value("string")
        )
        check_names(feature, list(others), kept)
        self.types = {feature: feature_type(config), **others}


def check_names(feature: str, others: Sequence[str], kept: Collection[str]) -> None:
    """Raises an error if a new column has the name of another one.

    Args:
        feature: Name of the feature column.
        others: Names of the other new columns.
        kept: Names of the columns that are kept.

    Raises:
        ArgumentError: If it has.
    """
    if feature in others:
        raise ArgumentError(
            f"The feature must not have the name of another column that the map adds: {', '.join(others)}. Received: "
            f"feature={feature!r}. Give it another name: Transform(..., feature=...)."
        )
    taken = sorted({feature, *others} & set(kept))
    if taken:
        raise ArgumentError(
            "The dataset must not have columns with the names that the map adds. Received: "
            f"{', '.join(taken)}. Rename them, leave them out with keep_columns of audiopipe.hf.map or remove_columns "
            "of Dataset.map, or give the feature another name: Transform(..., feature=...)."
        )


def kept_columns(columns: list[str], transform: Transform, keep_columns: Sequence[str] | None) -> list[str]:
    """Returns the columns to keep, in the order of the dataset.

    Args:
        columns: All columns of the dataset.
        transform: The transform, which names the audio column.
        keep_columns: The columns to keep. None keeps all but the audio.

    Raises:
        ArgumentError: If there is no such column.
    """
    if transform.audio not in columns:
        raise ArgumentError(
            f"The dataset must have the audio column {transform.audio!r}. Received: "
            f"{', '.join(columns) or 'no columns'}. Name the column that holds the audio: Transform(..., audio=...)."
        )
    if keep_columns is None:
        return [name for name in columns if name != transform.audio]
    unknown = sorted(set(keep_columns) - set(columns))
    if unknown:
        raise ArgumentError(
            f"keep_columns must name columns of the dataset: {', '.join(columns)}. Also received: {', '.join(unknown)}."
        )
    return [name for name in columns if name in keep_columns]

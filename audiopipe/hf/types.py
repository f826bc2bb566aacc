"""Types of feature columns in `datasets`."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets

from audiopipe.configs.base import Config
from audiopipe.errors import FingerprintError
from audiopipe.feature_sets import digest_checks, fingerprints, row_digests
from audiopipe.feature_sets.fingerprints import Identity
from audiopipe.feature_sets.row_digests import RowDigests


def feature_type(config: Config, kernel_version: int | None = None) -> Any:
    """Returns the `datasets` type of a config's feature, which carries the config and its fingerprint.

    The `id` of the type holds both as JSON. `datasets` keeps the `id` in its cache, on disk and in Parquet, and
    `audiopipe.fingerprint_of` reads it. Datasets of different features cannot be concatenated. `datasets` keeps the
    `id` even if the values change. `fingerprint_of` therefore also compares the digests of the rows, which `map` and
    `with_digests` add.

    In an array type of `datasets` only the first dimension may be unknown. If frames are not the first dimension, or
    the number of channels is unknown too, the type is nested lists, which are slower to read.

    Args:
        config: The config.
        kernel_version: The kernel version that the features were computed under. None means that of this release.

    Returns:
        `Array2D`, `Array3D` or nested `List` of float32.
    """
    channels, stamp = config.feature_channels, config.stamp(kernel_version)
    if channels == 1:
        return datasets.Array2D((None, config.n_bins), "float32", id=stamp)
    if channels is not None and config.output_data_format == "channels_last":
        return datasets.Array3D((None, config.n_bins, channels), "float32", id=stamp)
    return datasets.List(datasets.List(datasets.List(datasets.Value("float32", id=stamp))))


def digest_type(fingerprint: str) -> Any:
    """Returns the type of a column with the digests of a feature. By its `id` the column is found after a renaming."""
    return datasets.Value("string", id=row_digests.mark(fingerprint))


def is_digest(kind: Any) -> bool:
    """Returns whether a type is that of a column with digests."""
    return isinstance(kind, datasets.Value) and row_digests.is_mark(kind.id)


def digests_of(features: Mapping[str, Any], feature: str) -> RowDigests:
    """Returns the comparison of the rows of a dataset with their digests.

    Args:
        features: The types of a dataset's columns.
        feature: Name of the feature column.

    Raises:
        FingerprintError: If there is no column with the digests of the feature.
    """
    return digest_checks.digests_of(features, feature, fingerprints.of_columns(features))


def feature_shape(config: Config) -> tuple[int | None, ...]:
    """Returns the shape of a row's feature: that of a clip's feature, without the axis of a single channel."""
    channels = config.feature_channels
    shape = config.feature_shape(None, config.channels)
    return (None, config.n_bins) if channels == 1 else shape


def feature_column(features: Mapping[str, Any], columns: Sequence[str] | None = None) -> tuple[str, Identity]:
    """Returns the column that holds the feature, and the identity of that feature.

    Args:
        features: The types of a dataset's columns.
        columns: Names of columns, which select one of several feature columns.

    Returns:
        The name of the column and the identity of its feature.

    Raises:
        FingerprintError: If no column, or more than one, says which feature it holds.
    """
    found = fingerprints.of_columns(features)
    if len(found) > 1:
        found = {name: identity for name, identity in found.items() if name in (columns or ())}
    if len(found) != 1:
        raise FingerprintError(
            f"Exactly one column must say which feature it holds. Received: {', '.join(features)}, of which "
            f"{len(fingerprints.of_columns(features))} do. Make the column with audiopipe.hf.map, or give it the type "
            "audiopipe.hf.feature_type(config). If there are several, name one in columns, or remove the others."
        )
    return next(iter(found.items()))

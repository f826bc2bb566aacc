"""The `datasets` types of features, and the columns that have them."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets

from audiopipe.configs.base import Config
from audiopipe.errors import FingerprintError
from audiopipe.feature_sets import fingerprints
from audiopipe.feature_sets.fingerprints import Identity


def feature_type(config: Config, kernel_version: int | None = None) -> Any:
    """The `datasets` type of a config's feature, which carries the config and its fingerprint.

    They stand in the type's `id`, JSON that `datasets` keeps in the cache, on disk and in Parquet, and that
    `audiopipe.fingerprint_of` reads back. Datasets of different features cannot be concatenated.

    An array type has one unknown dimension, the first. Where the frames are not the first dimension, or the number of
    channels is unknown too, the type is nested lists, which are right but slower to read.

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


def feature_shape(config: Config) -> tuple[int | None, ...]:
    """Shape of a row's feature: that of a clip's, without the channel axis where there is one channel."""
    channels = config.feature_channels
    shape = config.feature_shape(None, config.channels)
    return (None, config.n_bins) if channels == 1 else shape


def feature_column(features: Mapping[str, Any], columns: Sequence[str] | None = None) -> tuple[str, Identity]:
    """The column that holds the feature, and which feature it is.

    Args:
        features: The types of a dataset's columns.
        columns: What is asked for, by which one of several is chosen.

    Returns:
        The column's name, and its identity.

    Raises:
        FingerprintError: If none or several of the columns say which feature they hold.
    """
    found = fingerprints.of_columns(features)
    if len(found) > 1:
        found = {name: identity for name, identity in found.items() if name in (columns or ())}
    if len(found) != 1:
        raise FingerprintError(
            f"One column must say which feature it holds. Received: {', '.join(features)}, of which "
            f"{len(fingerprints.of_columns(features))} do. Make it with audiopipe.hf.map, or with features= of "
            "audiopipe.hf.feature_type(config); of several name one in columns, or remove the others."
        )
    return next(iter(found.items()))

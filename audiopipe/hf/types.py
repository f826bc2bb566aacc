"""The `datasets` types of features."""

from typing import Any

import datasets

from audiopipe.config import Config


def feature_type(config: Config) -> Any:
    """The `datasets` type of a config's feature, which carries the config and its fingerprint.

    They stand in the type's `id`, JSON that `datasets` keeps in the cache, on disk and in Parquet, and that
    `audiopipe.fingerprint_of` reads back. Datasets of different features cannot be concatenated.

    An array type has one unknown dimension, the first. Where the frames are not the first dimension, or the number of
    channels is unknown too, the type is nested lists, which are right but slower to read.

    Args:
        config: The config.

    Returns:
        `Array2D`, `Array3D` or nested `List` of float32.
    """
    channels = config.feature_channels
    if channels == 1:
        return datasets.Array2D((None, config.n_bins), "float32", id=config.stamp())
    if channels is not None and config.output_data_format == "channels_last":
        return datasets.Array3D((None, config.n_bins, channels), "float32", id=config.stamp())
    return datasets.List(datasets.List(datasets.List(datasets.Value("float32", id=config.stamp()))))

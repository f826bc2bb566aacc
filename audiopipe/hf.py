"""Door 2: features of Hugging Face `datasets`."""

from typing import Any

from audiopipe.config import Config
from audiopipe.errors import ArgumentError, MissingDependencyError
from audiopipe.transform import Transform

try:
    import datasets
except ImportError as error:
    raise MissingDependencyError(
        'audiopipe.hf needs the package datasets, which is not installed: pip install "audiopipe[hf]".'
    ) from error

BATCH_SIZE = 16


def map(dataset: Any, transform: Transform, *, batch_size: int = BATCH_SIZE, **kwargs: Any) -> Any:
    """Compute the feature of every row.

    The audio column is replaced by the feature; all other columns stay. Audio is decoded from the stored bytes with
    audiopipe's own decoder, whatever `datasets` would decode it with, so that the bits agree with the other doors. The
    result has typed columns and is cached like any other map: the same transform over the same dataset is not
    computed twice, also not in another process.

    Args:
        dataset: A `datasets.Dataset` or `datasets.DatasetDict` with a column of audio: `Audio`, with or without
            decoding, paths, bytes, or arrays at the config's sample rate.
        transform: The transform. Its `audio` names the audio column, its `feature` the new one.
        batch_size: Rows that are in memory at once.
        **kwargs: Further arguments of `datasets.Dataset.map`, for example `keep_in_memory` or `load_from_cache_file`.
            `num_proc` is refused.

    Returns:
        The dataset with the column `feature`, a float32 array of shape `[frames, bins]` for a feature with one channel
        and `[frames, bins, channels]` otherwise, and the column `n_frames`.

    Raises:
        ArgumentError: If there is no such column.
        AudioError: If a row's audio cannot be read.

    Example:
        >>> from audiopipe import hf
        >>> rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac"], "label": [3]})
        >>> hf.map(rows, Transform("speech-mel-80")).features["feature"]
        Array2D(shape=(None, 80), dtype='float32')
    """
    if isinstance(dataset, datasets.DatasetDict):
        return datasets.DatasetDict(
            {split: map(rows, transform, batch_size=batch_size, **kwargs) for split, rows in dataset.items()}
        )
    if not isinstance(dataset, datasets.Dataset):
        raise ArgumentError(
            f"dataset must be a datasets.Dataset or DatasetDict. Received: {type(dataset).__name__}. For a streaming "
            f"dataset use dataset.cast_column({transform.audio!r}, Audio(decode=False)).map(transform, batched=True)."
        )
    if not isinstance(transform, Transform):
        raise ArgumentError(f"transform must be a Transform. Received: {transform!r}. Make one: Transform(config).")
    if kwargs.get("num_proc") not in (None, 1):
        raise ArgumentError(
            f"num_proc must be 1. Received: num_proc={kwargs['num_proc']}. Processes that fork after TensorFlow has "
            "run hang for ever, and TensorFlow uses every core in one process."
        )
    taken = {transform.feature, "n_frames"} & (set(dataset.column_names) - {transform.audio})
    if taken:
        raise ArgumentError(
            f"The dataset has columns of the names that the map makes. Received: {', '.join(sorted(taken))}. Rename "
            "them, or name the feature: Transform(..., feature=...)."
        )
    if transform.audio not in dataset.column_names:
        raise ArgumentError(
            f"There is no column {transform.audio!r}. Received: {', '.join(dataset.column_names)}. Name the column "
            "that holds the audio: Transform(..., audio=...)."
        )
    encoded = dataset.with_format(None)  # under a format, rows are no longer what they were stored as
    if isinstance(dataset.features[transform.audio], datasets.Audio):
        encoded = encoded.cast_column(transform.audio, datasets.Audio(decode=False))
    kept = {name: kind for name, kind in dataset.features.items() if name != transform.audio}
    features = datasets.Features(
        {**kept, transform.feature: feature_type(transform.config), "n_frames": datasets.Value("int64")}
    )
    mapped = encoded.map(
        transform,
        batched=True,
        batch_size=batch_size,
        remove_columns=[transform.audio],
        features=features,
        **{"desc": f"Computing {transform.feature}", **kwargs},
    )
    return mapped.with_format(dataset.format["type"], **dataset.format["format_kwargs"])


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

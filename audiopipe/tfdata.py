"""Door 1: audio files as a `tf.data.Dataset`, ready for `dataset.map(transform)`."""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import inputs, schema
from audiopipe.config import Config
from audiopipe.inputs import Source
from audiopipe.transform import Transform

_DTYPES = {"string": tf.string, "int": tf.int64, "float": tf.float64, "bool": tf.bool}


def from_audio(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    transform: "Transform | Config | str | os.PathLike[str]",
    *,
    num_parallel_calls: int = tf.data.AUTOTUNE,
) -> tf.data.Dataset:
    """Read audio files as clips at a config's sample rate, in parallel and in a fixed order.

    A batch of them keeps the true lengths where the transform finds them:
    `from_audio(...).padded_batch(16).map(transform)`.

    Args:
        source: A folder, a glob, a CSV or JSONL manifest, a Parquet file, a saved dataset or a list of paths, as in
            `audiopipe.inputs.scan`.
        transform: The transform that the clips are for, or its config, registered name or JSON file. Give the transform
            itself where you have it, so that the two cannot be of different configs.
        num_parallel_calls: Clips that are read at once.

    Returns:
        A dataset of dicts: `audio` (float32 `[time, channels]`), `id` (string), `n_samples` (int64; also `n_channels`
        if the config keeps what there is) and the metadata (string, int64, float64 or bool). A file that cannot be
        read raises `tf.errors.UnknownError` with the reason; `dataset.ignore_errors()` leaves such files out.

    Raises:
        InputError: If the input is missing, empty or malformed.

    Example:
        >>> mel = Transform("speech-mel-80")
        >>> features = from_audio("examples/audio", mel).map(mel)
        >>> features.element_spec["feature"].shape
        TensorShape([None, 80, 1])
    """
    transform = transform if isinstance(transform, Transform) else Transform(transform)
    return from_sources(list(inputs.scan(source)), transform, num_parallel_calls=num_parallel_calls)


def from_sources(
    sources: list[Source], transform: Transform, *, num_parallel_calls: int = tf.data.AUTOTUNE
) -> tf.data.Dataset:
    """Read the clips of a list of sources, as `from_audio` does.

    Args:
        sources: Where the clips stand.
        transform: The transform whose config says how to read them.
        num_parallel_calls: Clips that are read at once.

    Returns:
        As `from_audio`.
    """
    types = schema.infer(source.metadata for source in sources)
    dtypes = [tf.string, tf.float32, *(_DTYPES[kind] for kind in types.values())]

    def read(index: int) -> list[Any]:
        clip_source = sources[index]
        values = [_as_numpy(schema.fill(clip_source.metadata.get(name), kind), kind) for name, kind in types.items()]
        return [_as_numpy(clip_source.id, "string"), transform.read(clip_source.open()), *values]

    def element(index: tf.Tensor) -> dict[str, tf.Tensor]:
        clip_id, audio, *values = tf.numpy_function(read, [index], dtypes)
        for scalar in (clip_id, *values):
            scalar.set_shape([])
        audio.set_shape([None, transform.config.channels])
        shape = tf.shape(audio, out_type=tf.int64)
        sizes = {"n_samples": shape[0], **({"n_channels": shape[1]} if transform.config.channels is None else {})}
        return {"audio": audio, "id": clip_id, **sizes, **dict(zip(types, values, strict=True))}

    dataset = tf.data.Dataset.range(len(sources))
    return dataset.map(element, num_parallel_calls=num_parallel_calls, deterministic=True)


def _as_numpy(value: Any, kind: str) -> Any:
    if kind == "string":
        return np.array(value.encode("utf-8", "surrogateescape"), dtype=object)
    return np.asarray(value, dtype=_DTYPES[kind].as_numpy_dtype)

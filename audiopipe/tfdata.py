"""The door `tfdata`: audio files as a `tf.data.Dataset`, ready for `dataset.map(transform)`."""

import dataclasses
import functools
import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import inputs
from audiopipe.configs.base import Config
from audiopipe.errors import MetadataRemark
from audiopipe.inputs import Source, column_inference
from audiopipe.inputs.columns import is_list, item_type
from audiopipe.transform.segments import Segments
from audiopipe.transform.transform import Transform

_DTYPES = {"string": tf.string, "int": tf.int64, "float": tf.float64, "bool": tf.bool}


def from_audio(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    transform: "Transform | Config | str | os.PathLike[str]",
    *,
    num_parallel_calls: int = tf.data.AUTOTUNE,
    segments: Segments | None = None,
) -> tf.data.Dataset:
    """Reads audio files as clips at a config's sample rate, in parallel and in a fixed order.

    Each clip carries its length, so the transform also takes padded batches:
    `from_audio(...).padded_batch(16).map(transform)`.

    Args:
        source: A folder, a glob, a CSV or JSONL manifest, a Parquet file, a saved dataset or a list of paths, as in
            `audiopipe.inputs.scan`.
        transform: Transform that will compute the features, or its config, registered name or JSON file. Pass the
            transform itself if you have it, so that reading and computing use the same config.
        num_parallel_calls: Number of clips to read at once.
        segments: How to cut recordings into segments, which are then the clips. None keeps recordings whole. Recordings
            to cut are read one after another, in blocks of bounded size.

    Returns:
        A dataset of dicts: `audio` (float32 `[time, channels]`), `id` (string), `n_samples` (int64), `n_channels`
        (int64, only if the config has `channels=None`) and the metadata, with lists and missing values as in
        `audiopipe.load`. Segments have ids such as `name#00012` and an entry `start` in seconds. A file that cannot be
        read raises `tf.errors.UnknownError` with the reason during iteration; `dataset.ignore_errors()` skips such
        files.

    Raises:
        InputError: If the input is missing, empty or malformed.

    Warns:
        MetadataRemark: If a column has missing integers or classes. The message has the number that stands for them.

    Example:
        >>> mel = Transform("speech-mel-80")
        >>> features = from_audio("examples/audio", mel).map(mel)
        >>> features.element_spec["feature"].shape
        TensorShape([None, 80, 1])
    """
    transform = transform if isinstance(transform, Transform) else Transform(transform)
    sources = list(inputs.scan(source))
    return from_sources(sources, transform, num_parallel_calls=num_parallel_calls, segments=segments)


def from_sources(
    sources: list[Source],
    transform: Transform,
    *,
    num_parallel_calls: int = tf.data.AUTOTUNE,
    segments: Segments | None = None,
    only: Mapping[str, Collection[int]] | None = None,
) -> tf.data.Dataset:
    """Reads the clips of a list of sources, as `from_audio` does.

    Args:
        sources: Recordings to read.
        transform: Transform whose config says how to read them.
        num_parallel_calls: Number of clips to read at once.
        segments: As in `from_audio`.
        only: Numbers of the segments to read of each recording, by its id. None means all.

    Returns:
        A dataset as `from_audio` returns it.
    """
    columns = column_inference.of_sources(sources)
    for note in columns.notes:
        warnings.warn(note, MetadataRemark, stacklevel=3)
    if segments is not None:
        segments.sizes(transform.config)
        columns = dataclasses.replace(columns, types=segments.schema(columns.types))
    entries = columns.entries
    dtypes = [tf.string, tf.float32, *(_DTYPES[item_type(kind)] for kind in entries.values())]
    ranks = [[None] if is_list(kind) else [] for kind in entries.values()]

    def parts(clip: Source, samples: np.ndarray) -> list[Any]:
        values = columns.values(clip.metadata)
        arrays = [_as_numpy(values[name], kind) for name, kind in entries.items()]
        return [_as_numpy(clip.id, "string"), samples, *arrays]

    def read(index: int) -> list[Any]:
        return parts(sources[index], transform.read(sources[index].open()))

    def cut(cutter: Segments, index: int) -> Iterator[tuple[Any, ...]]:
        recording = sources[index]
        blocks = transform.read_blocks(recording.open())
        wanted = None if only is None else only[recording.id]
        for clip, samples in cutter.clips(recording, blocks, transform.config, wanted):
            yield tuple(parts(clip, samples))

    def element(clip_id: tf.Tensor, audio: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        for value, shape in zip((clip_id, *values), [[], *ranks], strict=True):
            value.set_shape(shape)
        audio.set_shape([None, transform.config.channels])
        shape = tf.shape(audio, out_type=tf.int64)
        sizes = {"n_samples": shape[0], **({"n_channels": shape[1]} if transform.config.channels is None else {})}
        return {"audio": audio, "id": clip_id, **sizes, **dict(zip(entries, values, strict=True))}

    dataset = tf.data.Dataset.range(len(sources))
    if segments is None:
        return dataset.map(
            lambda index: element(*tf.numpy_function(read, [index], dtypes)),
            num_parallel_calls=num_parallel_calls,
            deterministic=True,
        )
    shapes = [[], [None, transform.config.channels], *ranks]
    signature = tuple(map(tf.TensorSpec, shapes, dtypes))
    generate = functools.partial(cut, segments)
    clips = dataset.flat_map(
        lambda index: tf.data.Dataset.from_generator(generate, args=(index,), output_signature=signature)
    )
    return clips.map(element, num_parallel_calls=num_parallel_calls, deterministic=True)


def _as_numpy(value: Any, kind: str) -> Any:
    if kind == "string":
        return np.array(value.encode("utf-8", "surrogateescape"), dtype=object)
    if kind == "list<string>":
        return np.array([item.encode("utf-8", "surrogateescape") for item in value], dtype=object)
    return np.asarray(value, dtype=_DTYPES[item_type(kind)].as_numpy_dtype)

"""Audio files as a `tf.data.Dataset` of clips, ready for `dataset.map(transform)`."""

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import audio, inputs
from audiopipe.audio import Remark
from audiopipe.configs.base import Config
from audiopipe.errors import MetadataRemark
from audiopipe.inputs import InputOptions, SeveralInputs, Source, column_inference
from audiopipe.tfdata.packed_entries import PackedEntries
from audiopipe.transform import ends, recordings
from audiopipe.transform.entry_names import VALID_SAMPLES
from audiopipe.transform.segments import Segments
from audiopipe.transform.transform import Transform


def from_audio(
    source: str | os.PathLike[str] | SeveralInputs | Iterable[str | os.PathLike[str]],
    transform: "Transform | Config | str | os.PathLike[str]",
    *,
    num_parallel_calls: int = tf.data.AUTOTUNE,
    segments: Segments | None = None,
    path_column: str | None = None,
    id_column: str | None = None,
    class_columns: Sequence[str] = (),
    label_from_folder: bool = False,
) -> tf.data.Dataset:
    """Reads audio files as clips at a config's sample rate, in parallel and in a fixed order.

    Each clip carries its length, so the transform also takes padded batches,
    `from_audio(...).padded_batch(16).map(transform)`, and ragged ones,
    `from_audio(...).ragged_batch(16).map(transform)`.

    Args:
        source: A folder, a glob, a manifest, a Parquet file, a saved dataset or a list of paths, as in
            `audiopipe.inputs.scan`.
        transform: Transform that will compute the features, or its config, registered name or JSON file. Pass the
            transform itself if you have it, so that reading and computing use the same config.
        num_parallel_calls: Number of clips to read at once.
        segments: How to cut recordings into segments, which are then the clips. None does not cut recordings.
            Recordings to cut, and stretches of recordings, are read one after another, in blocks of bounded size. Sort
            stretches by recording and start, so that each recording is decoded only once.
        path_column: Column of a manifest or table that contains the path of the audio. None finds it by its name.
        id_column: Column of a manifest or table that contains the ids of the clips. None uses the column `id`, if there
            is one.
        class_columns: Text columns that become integers, the positions of their values in sorted order.
        label_from_folder: Whether clips get a column `label` with the name of the folder that they are in.

    Returns:
        A dataset of dicts with these entries.

        - `audio`: float32 `[time, channels]`.
        - `id` (string). Segments have ids such as `name#00012`.
        - `n_samples` (int64): the number of samples.
        - `n_channels` (int64): the number of channels, only if the config has `channels=None`.
        - `valid_samples` (int64): the number of samples without padding, only if segments are padded. The transform
          then adds `valid_frames`.
        - The metadata, with lists and missing values as in `audiopipe.load`. Segments also have `start`, in seconds.

        If a file cannot be read, `tf.errors.UnknownError` gives the reason during iteration. `dataset.ignore_errors()`
        skips such files.

    Raises:
        InputError: If the input is missing, empty or malformed.

    Warns:
        AudioRemark: If a clip is read although something is wrong with it, a recording is too short for a segment, or
            a clip is longer than its feature, as with Whisper's 30 s.
        MetadataRemark: If a column has missing integers or classes. The message says which number marks them.

    Example:
        >>> mel = Transform("speech-mel-80")
        >>> features = from_audio("examples/audio", mel).map(mel)
        >>> features.element_spec["feature"].shape
        TensorShape([None, 80, 1])
    """
    transform = transform if isinstance(transform, Transform) else Transform(transform)
    options = InputOptions(path_column, id_column, class_columns, label_from_folder)
    return from_sources(
        list(inputs.scan(source, options)),
        transform,
        num_parallel_calls=num_parallel_calls,
        segments=segments,
        class_columns=options.class_columns,
    )


def from_sources(
    sources: list[Source],
    transform: Transform,
    *,
    num_parallel_calls: int = tf.data.AUTOTUNE,
    segments: Segments | None = None,
    class_columns: Sequence[str] = (),
    only: Mapping[str, Collection[int]] | None = None,
) -> tf.data.Dataset:
    """Reads the clips of a list of sources, as `from_audio` does.

    Args:
        sources: Recordings to read.
        transform: Transform whose config says how to read them.
        num_parallel_calls: Number of clips to read at once.
        segments: As in `from_audio`.
        class_columns: Text columns that become integers, as in `InputOptions`.
        only: Numbers of the segments to read of each recording, by its id. None means all.

    Returns:
        A dataset as `from_audio` returns it.
    """
    columns = column_inference.of_sources(sources, class_columns)
    for note in columns.notes:
        warnings.warn(note, MetadataRemark, stacklevel=3)
    if segments is not None:
        segments.sizes(transform.config)
        columns = segments.columns(columns, stretches=any(source.is_stretch for source in sources))
    pads = segments is not None and segments.last == "pad"
    packed = PackedEntries({"id": "string", **({VALID_SAMPLES: "int"} if pads else {}), **columns.entries})
    signature = (tf.TensorSpec([None, transform.config.channels], tf.float32), *packed.specs)

    groups: list[list[Source]] = []
    for source in sources:
        if groups and source.shares_recording(groups[-1][0]):
            groups[-1].append(source)
        else:
            groups.append([source])

    def parts(clip: Source, samples: np.ndarray, n_valid: int | None = None) -> list[Any]:
        n_valid = len(samples) if n_valid is None else n_valid
        cut = ends.cut(n_valid, transform.config)
        if cut is not None:
            recordings.warn(clip, cut)
        fixed = {"id": clip.id, VALID_SAMPLES: n_valid}
        return [samples, *packed.pack({**fixed, **columns.values(clip.metadata)})]

    def read(index: int) -> list[Any]:
        return parts(sources[index], transform.read(sources[index].open()))

    def clips_of(source: Source, blocks: Iterator[np.ndarray]) -> Iterator[tuple[Any, ...]]:
        if segments is None:
            yield tuple(parts(source, audio.joined(blocks)))
            return
        wanted = None if only is None else only[source.id]

        def on_remark(remark: Remark) -> None:
            if remark.facts.get("short"):  # what `last` does to the ends of recordings is no surprise
                recordings.warn(source, remark)

        for clip, samples, n_valid in segments.clips(source, blocks, transform.config, wanted, on_remark):
            yield tuple(parts(clip, samples, n_valid))

    def cut(index: int) -> Iterator[tuple[Any, ...]]:
        return _EachClip(recordings.read(groups[index], transform), clips_of)

    @tf.autograph.experimental.do_not_convert
    def element(samples: tf.Tensor, *arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        samples.set_shape([None, transform.config.channels])
        size = tf.shape(samples, out_type=tf.int64)
        sizes = {"n_samples": size[0], **({"n_channels": size[1]} if transform.config.channels is None else {})}
        return {"audio": samples, **sizes, **packed.unpack(list(arrays))}

    if segments is None and not any(source.is_stretch for source in sources):
        return tf.data.Dataset.range(len(sources)).map(
            lambda index: element(*tf.numpy_function(read, [index], [spec.dtype for spec in signature])),
            num_parallel_calls=num_parallel_calls,
            deterministic=True,
        )
    clips = tf.data.Dataset.range(len(groups)).flat_map(
        lambda index: tf.data.Dataset.from_generator(cut, args=(index,), output_signature=signature)
    )
    return clips.map(element, num_parallel_calls=num_parallel_calls, deterministic=True)


class _EachClip:
    """Iterator over the clips of recordings or stretches. After an error it continues with the next one.

    A generator would end at the first error, and `ignore_errors()` would skip all clips after it.
    """

    def __init__(
        self,
        read: Iterator[tuple[Source, Iterator[np.ndarray]]],
        clips_of: Callable[[Source, Iterator[np.ndarray]], Iterator[tuple[Any, ...]]],
    ):
        self._read = read
        self._clips_of = clips_of
        self._clips: Iterator[tuple[Any, ...]] = iter(())

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        while True:
            clip = next(self._clips, None)
            if clip is not None:
                return clip
            self._clips = self._clips_of(*next(self._read))

"""Classification of the inputs of a transform.

`classify` inspects an input once and returns one of six types: a clip, a padded batch, a ragged batch, an element of
`tf.data`, a row of `datasets`, or a batch of rows. Later code relies on the type and does not inspect the input again.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.configs import Config
from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import free_name
from audiopipe.transform import audio_values, ragged_batches, waveforms
from audiopipe.transform.entry_names import N_FRAMES, VALID_FRAMES, VALID_SAMPLES
from audiopipe.transform.ragged_batches import RaggedBatch


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip.

    Args:
        samples: float32 `[time, channels]`: an array if `as_numpy` is set, otherwise a tensor.
        as_numpy: Whether to return the feature as a NumPy array.
    """

    samples: tf.Tensor | np.ndarray
    as_numpy: bool


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """Batch of padded clips.

    Args:
        samples: float32 tensor `[batch, time, channels]`.
        lengths: Number of samples of each clip, `[batch]`, not validated yet. None if there is no padding.
        as_numpy: Whether to return the features as a NumPy array.
    """

    samples: tf.Tensor
    lengths: Any
    as_numpy: bool


@dataclass(frozen=True, slots=True)
class Element:
    """Mapping with a waveform, like an element of a `tf.data.Dataset`.

    Args:
        waveform: The waveform.
        others: The other entries of the mapping.
        valid_samples: Number of samples before the padding of each clip, as the entry of this name says. None means
            that there is no such entry.
        valid_frames: Name of the entry to add with the number of valid frames. None means that all frames are valid,
            and no other entry could be mistaken for their number.
    """

    waveform: Clip | PaddedBatch | RaggedBatch
    others: dict[str, Any]
    valid_samples: Any = None
    valid_frames: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Row of `datasets`.

    Args:
        value: The audio of the row, in any form that `audio_values.read_blocks` takes.
        is_counted: Whether the row already has the numbers of frames of another feature.
    """

    value: Any
    is_counted: bool


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Batch of rows of `datasets`.

    Args:
        values: The audio of each row.
        is_counted: Whether the rows already have the numbers of frames of another feature.
        writable: Whether to return arrays that the caller can change. `datasets` itself copies them into a table.
    """

    values: Any
    is_counted: bool
    writable: bool


def classify(
    value: Any, lengths: Any, config: Config, audio_key: str, feature_key: str
) -> Clip | PaddedBatch | RaggedBatch | Element | Row | RowBatch:
    """Determines which of the six types an input has.

    Args:
        value: A waveform or a mapping.
        lengths: Number of samples of each clip of a batch, or None.
        config: The config of the feature.
        audio_key: Key of the audio in a mapping.
        feature_key: Key of the feature in the result for a mapping.

    Raises:
        ArgumentError: If the input has none of the six forms, or its form is ambiguous.
    """
    if isinstance(value, Mapping):
        return _of_mapping(value, config, audio_key, feature_key)
    return classify_waveform(value, lengths, config)


def classify_waveform(waveform: Any, lengths: Any, config: Config) -> Clip | PaddedBatch | RaggedBatch:
    """Determines whether a waveform is a clip or a batch. See `classify` for the arguments and errors."""
    if ragged_batches.is_ragged(waveform):
        return ragged_batches.classify(waveform, lengths, config)
    as_numpy = not tf.is_tensor(waveform)
    if as_numpy:
        if isinstance(waveform, (str, bytes, os.PathLike)) or hasattr(waveform, "read"):
            raise ArgumentError(
                f"A transform must be called with samples. Received: {type(waveform).__name__}. Read a file first: "
                f"transform(transform.read(path))."
            )
        waveform = waveforms.numbers(waveform)
    waveforms.check(waveform, lengths, config)
    if len(waveform.shape) == 3:
        return PaddedBatch(tf.cast(waveform, tf.float32), lengths, as_numpy)
    # The graph itself converts an array. Eager operations would take a tenth of the time of a short clip.
    samples = waveform.astype(np.float32, copy=False) if as_numpy else tf.cast(waveform, tf.float32)
    return Clip(samples if len(samples.shape) == 2 else samples[:, None], as_numpy)


def _of_mapping(
    mapping: Mapping[str, Any], config: Config, audio_key: str, feature_key: str
) -> Element | Row | RowBatch:
    if audio_key not in mapping:
        raise ArgumentError(
            f"The element must have the key {audio_key!r}. Received the keys: {', '.join(map(str, mapping))}. Name the "
            "key that holds the audio: Transform(..., audio=...)."
        )
    is_counted = feature_key not in mapping and (N_FRAMES in mapping or (config.pads_clips and VALID_FRAMES in mapping))
    rows = _lazy_rows(mapping, audio_key, is_counted)
    if rows is not None:
        return rows
    value = mapping[audio_key]
    if audio_values.is_batch_of_encoded(value):
        return RowBatch(value, is_counted, writable=True)
    if audio_values.is_encoded(value):
        return Row(value, is_counted)
    return _element(mapping, value, config, audio_key, feature_key)


def _lazy_rows(mapping: Mapping[str, Any], audio_key: str, is_counted: bool) -> Row | RowBatch | None:
    """Returns the audio of a lazy row or batch of `datasets`, or None for any other mapping."""
    if "datasets" not in sys.modules:
        return None
    from audiopipe.hf import lazy_rows  # knowledge of these classes belongs to the door

    if lazy_rows.is_batch(mapping):
        return RowBatch(lazy_rows.stored_audio(mapping, audio_key), is_counted, writable=False)
    if not lazy_rows.is_row(mapping):
        return None
    value = lazy_rows.stored_audio(mapping, audio_key)
    is_batch = audio_values.is_batch_of_encoded(value)
    return RowBatch(value, is_counted, writable=True) if is_batch else Row(value, is_counted)


def _element(mapping: Mapping[str, Any], value: Any, config: Config, audio_key: str, feature_key: str) -> Element:
    value = value if tf.is_tensor(value) else waveforms.numbers(value)
    is_ragged = ragged_batches.is_ragged(value)
    if not is_ragged and not waveforms.is_symbolic(value) and value.ndim != 1:
        raise ArgumentError(
            f"Outside of a tf.data map, an array in a mapping must have rank 1, because rank {value.ndim} could be a "
            f"clip with channels or a batch of clips. Received: {audio_key!r} of shape {tuple(value.shape)}. For a "
            "datasets.Dataset use audiopipe.hf.map(dataset, transform), otherwise call the transform on the array."
        )
    others = {key: entry for key, entry in mapping.items() if key != audio_key}
    valid_samples = _integers(mapping.get(VALID_SAMPLES))
    is_padded = config.pads_clips or valid_samples is not None
    valid_frames = VALID_FRAMES if is_padded else _beside_metadata(others)
    taken = sorted(others.keys() & {feature_key, N_FRAMES, valid_frames})
    if taken:
        raise ArgumentError(
            f"The element must not have entries with the names that the transform adds. Received: {', '.join(taken)}. "
            f"Remove them, or give the feature another name: Transform(..., feature=...)."
        )
    is_batch = not is_ragged and value.shape is not None and len(value.shape) == 3
    if is_batch and "n_channels" in mapping:
        value = _with_equal_channels(value, mapping["n_channels"])
    waveform = classify_waveform(value, mapping.get("n_samples") if is_batch else None, config)
    return Element(waveform, others, valid_samples, valid_frames)


def _beside_metadata(others: dict[str, Any]) -> str | None:
    """Returns a name for the number of valid frames if metadata has the usual one, else None."""
    return free_name(VALID_FRAMES, others) if VALID_FRAMES in others else None


def _integers(value: Any) -> Any:
    """Returns a value if it is a tensor of integers, else None: it is metadata that happens to have our name."""
    return value if tf.is_tensor(value) and value.dtype.is_integer else None


def _with_equal_channels(batch: tf.Tensor, n_channels: tf.Tensor) -> tf.Tensor:
    """Adds a check to the graph that padding has not added channels to a batch."""
    fits = tf.debugging.assert_equal(
        tf.cast(n_channels, tf.int32),
        tf.shape(batch)[2],
        ragged_batches.UNEQUAL_CHANNELS,
    )
    with tf.control_dependencies([fits]):
        return tf.identity(batch)

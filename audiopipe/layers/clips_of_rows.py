"""Computation of clips that are shorter than the rows of their batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers.statistics_normalization import StatisticsNormalization

if TYPE_CHECKING:
    from audiopipe.layers.composed_layer import ComposedLayer

MAX_SAMPLES = 1 << 30  # no clip needs as many for one frame


def check(lengths: Any, rows: Any, layer: ComposedLayer) -> None:
    """Raises an error unless a layer can compute clips of some lengths.

    Args:
        lengths: Number of samples of each clip.
        rows: Batch of waveforms, in the layout of the layer.
        layer: The layer.

    Raises:
        ArgumentError: If the lengths are no integers of rank 1, do not fit the batch, or the input of the layer is no
            waveform. Lengths that are not known yet are checked when the graph runs.
    """
    dtype, shape = getattr(lengths.dtype, "name", lengths.dtype), tuple(lengths.shape)
    if "int" not in dtype or len(shape) != 1:
        raise ArgumentError(
            f"lengths must be integers [batch], the number of samples of each clip. Received: dtype={dtype}, "
            f"shape={shape} in {type(layer).__name__} '{layer.name}'. For lengths in a model, use "
            "keras.Input((), dtype='int32')."
        )
    first = layer.layers[0]
    if not getattr(first, "takes_waveform", False):
        raise ArgumentError(
            f"lengths are numbers of samples, so the input must be a waveform. Received: lengths in "
            f"{type(layer).__name__} '{layer.name}', which begins with {type(first).__name__}. Leave out lengths."
        )
    if len(rows.shape) != 3 or not (isinstance(lengths, np.ndarray) or hasattr(lengths, "numpy")):
        return
    values, size, samples = np.asarray(lengths), rows.shape[0], rows.shape[2 if layer.is_channels_first else 1]
    too_long = samples is not None and np.any(values > samples)
    if too_long or np.any(values < 0) or size not in (None, len(values)):
        raise ArgumentError(
            f"lengths must be {size} integers of 0 .. {samples}, one for each clip of the batch. Received: "
            f"{values.tolist()} in {type(layer).__name__} '{layer.name}'."
        )


def compute(layer: ComposedLayer, rows: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Computes each clip from its own samples alone, and appends padding up to the frames of a row.

    Args:
        layer: The layer.
        rows: Batch of waveforms, in the layout of the layer.
        lengths: Number of samples of each clip, int `[batch]`.

    Returns:
        Result of the layer for clips of whole rows, in shape and dtype.
    """
    lengths = tf.cast(lengths, tf.int32)
    time_axis = 2 if layer.is_channels_first else 1
    samples = tf.shape(rows)[time_axis]
    checks = [
        tf.debugging.assert_equal(tf.shape(lengths)[0], tf.shape(rows)[0], "There must be one length for each clip."),
        tf.debugging.assert_non_negative(lengths, "lengths must be at least 0."),
        tf.debugging.assert_less_equal(lengths, samples, "lengths must be at most the samples of the batch."),
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):
        lengths = tf.identity(lengths)
    spec = _spec(layer, rows.shape)
    frame_axis = _frame_axis(layer, _channels(layer, rows))
    is_known = _known_channels(layer, rows) is not None
    frames: Any = None
    if frame_axis is not None:
        frames = spec.shape[frame_axis + 1]
        frames = _row_frames(layer, rows, frame_axis) if frames is None else frames
        padding = padding_frame(layer, rows, frame_axis)

    def one(row_and_length: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        row, length = row_and_length
        clip = row[:, :length] if time_axis == 2 else row[:length]
        feature = layer.apply_layers(clip[None])[0]
        if frame_axis is None:
            return feature
        sizes = tf.unstack(tf.shape(feature))
        sizes[frame_axis] = frames - sizes[frame_axis]
        frame = padding if is_known else _of_channels(padding, sizes, frame_axis)
        return tf.concat([feature, _padding(layer, frame, sizes, spec.dtype)], axis=frame_axis)

    signature = tf.TensorSpec(spec.shape[1:], spec.dtype)
    return tf.ensure_shape(tf.map_fn(one, (rows, lengths), fn_output_signature=signature), spec.shape)


def _of_channels(frame: Any, sizes: list[Any], frame_axis: int) -> Any:
    """Returns padding for the channels that the graph finds when it runs. Each quantity is that of all channels."""
    if np.ndim(frame) != 3:
        return frame
    axis = 2 if frame_axis == 0 else 0
    return tf.repeat(frame, sizes[axis] // frame.shape[axis], axis=axis)


def _padding(layer: ComposedLayer, frame: Any, sizes: list[Any], dtype: str) -> tf.Tensor:
    """Returns padding of a shape, from the result of `padding_frame`."""
    last = layer.layers[-1]
    if layer.padding is not None and isinstance(last, StatisticsNormalization):
        return tf.cast(last(tf.broadcast_to(tf.cast(frame, last.compute_dtype), sizes)[None])[0], dtype)
    return tf.broadcast_to(tf.cast(frame, dtype), sizes)


def padding_frame(layer: ComposedLayer, rows: tf.Tensor, frame_axis: int) -> tf.Tensor | np.ndarray:
    """Returns what frames beyond a clip hold: the padding of the layer, or else its value for silence.

    The padding of the layer is that before a `StatisticsNormalization` at the end.

    Silence is a frame of an all-zero clip that is just long enough. It does not depend on the batch, so it is computed
    once for a number of channels, outside of the graph that is being traced.
    """
    if layer.padding is not None:
        return np.float64(layer.padding)
    channels = _channels(layer, rows)
    key = (tuple(layer.layers), channels)
    if key not in layer.silent_frames:
        samples = 1
        while samples < MAX_SAMPLES and _spec(layer, _shape(layer, samples, channels)).shape[frame_axis + 1] == 0:
            samples *= 2
        with tf.init_scope():
            feature = layer.apply_layers(tf.zeros(_shape(layer, samples, channels), rows.dtype))[0]
            layer.silent_frames[key] = np.take(feature.numpy(), [0], frame_axis) + 0  # -0.0 becomes 0.0
    return layer.silent_frames[key]


def _row_frames(layer: ComposedLayer, rows: tf.Tensor, frame_axis: int) -> tf.Tensor:
    """Returns the number of frames of a whole row whose length is only known when the graph runs."""
    return tf.shape(layer.apply_layers(tf.zeros_like(rows[:1])))[frame_axis + 1]


def _known_channels(layer: ComposedLayer, rows: tf.Tensor) -> int | None:
    return rows.shape[1 if layer.is_channels_first else 2]


def _channels(layer: ComposedLayer, rows: tf.Tensor) -> int:
    """Returns the number of channels of the clips, or one that the layer takes if it is not known yet."""
    last = layer.layers[-1]
    return _known_channels(layer, rows) or (last.clip_channels if isinstance(last, StatisticsNormalization) else 1)


def _frame_axis(layer: ComposedLayer, channels: int) -> int | None:
    """Returns the axis of the frames in the result for one clip, or None if every clip has equally many."""
    shape = _spec(layer, _shape(layer, None, channels)).shape[1:]
    return shape.index(None) if None in shape else None


def _shape(layer: ComposedLayer, samples: int | None, channels: int) -> tuple[int | None, ...]:
    return (1, channels, samples) if layer.is_channels_first else (1, samples, channels)


def _spec(layer: ComposedLayer, shape: Any) -> keras.KerasTensor:
    return layer.compute_output_spec(keras.KerasTensor(tuple(shape), dtype=layer.compute_dtype))

"""Computation of the features of a clip or a batch."""

from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.transform import ends, ragged_batches, waveforms
from audiopipe.transform.call_inputs import Clip, PaddedBatch
from audiopipe.transform.kernel import Kernel
from audiopipe.transform.ragged_batches import RaggedBatch


def compute(waveform: Clip | PaddedBatch | RaggedBatch, kernel: Kernel) -> Any:
    """Computes the feature of a clip or the features of a batch.

    Returns:
        float32 `[frames, bins, channels]` or `[batch, frames, bins, channels]`. If the config says `channels_first`,
        channels come before frames. A NumPy array if `waveform.as_numpy` is set, otherwise a tensor, which is ragged
        for a ragged batch.

    Raises:
        ArgumentError: If `waveform.lengths` are not valid for the batch.
        AudioError: If a clip is longer than the config allows. In a graph, an assertion fails when it runs.
    """
    if kernel.config.max_samples is not None:
        _check_longest(waveform, kernel)
    if isinstance(waveform, RaggedBatch):
        return ragged_batches.compute(waveform, kernel)
    feature = _of_clip(waveform, kernel) if isinstance(waveform, Clip) else _of_batch(waveform, kernel)
    return feature.numpy() if waveform.as_numpy else feature


def _check_longest(waveform: Clip | PaddedBatch | RaggedBatch, kernel: Kernel) -> None:
    lengths = _lengths(waveform)
    if not waveforms.is_symbolic(lengths):
        ends.check_length(int(np.max(lengths, initial=0)), kernel.config)


def n_frames(waveform: Clip | PaddedBatch | RaggedBatch, kernel: Kernel, feature: Any) -> Any:
    """Counts the frames of a clip, or of each clip of a batch, as an int or an int64 tensor.

    Args:
        waveform: The clip or the batch.
        kernel: The kernel of the feature.
        feature: What `compute` returned for them.
    """
    if isinstance(waveform, Clip) and waveforms.is_symbolic(feature):  # fewer operations than from the samples
        return tf.shape(feature, out_type=tf.int64)[kernel.config.frame_axis]
    frames = kernel.config.n_frames(_lengths(waveform))
    return frames if isinstance(waveform, RaggedBatch) or not waveform.as_numpy else int(frames)


def valid_frames(waveform: Clip | PaddedBatch | RaggedBatch, kernel: Kernel, valid_samples: Any = None) -> Any:
    """Counts the frames that hold audio, like `n_frames`.

    Args:
        waveform: The clip or the batch.
        kernel: The kernel of the feature.
        valid_samples: Number of samples before the padding of each clip. None means that no clip is padded.
    """
    lengths = _lengths(waveform) if valid_samples is None else tf.cast(valid_samples, tf.int64)
    frames = kernel.config.valid_frames(lengths)
    return frames if isinstance(waveform, RaggedBatch) or not waveform.as_numpy else int(frames)


def _lengths(waveform: Clip | PaddedBatch | RaggedBatch) -> tf.Tensor:
    """Returns the number of samples of a clip, or of each clip of a batch, as int64."""
    if isinstance(waveform, RaggedBatch):
        return waveform.lengths
    shape = tf.shape(waveform.samples, out_type=tf.int64)
    if isinstance(waveform, Clip):
        return shape[0]
    if waveform.lengths is None:
        return tf.fill([shape[0]], shape[1])
    return tf.cast(waveform.lengths, tf.int64)


def _of_clip(clip: Clip, kernel: Kernel) -> tf.Tensor:
    if not waveforms.is_symbolic(clip.samples):
        return kernel.clip(clip.samples)
    feature = kernel.traced(clip.samples)
    # The result keeps the shape of clips of any length, also where this graph knows the length of its own.
    return tf.compat.v1.placeholder_with_default(
        feature, kernel.config.feature_shape(None, _channels(clip.samples, kernel))
    )


def _of_batch(batch: PaddedBatch, kernel: Kernel) -> tf.Tensor:
    samples, lengths, config = batch.samples, batch.lengths, kernel.config
    if lengths is None:
        features = kernel.whole(samples)
        if features is not None:
            return features
        lengths = tf.fill([tf.shape(samples)[0]], tf.shape(samples)[1])
    else:
        lengths = _checked_lengths(lengths, samples)
    if samples.shape[0] == 0 and not waveforms.is_symbolic(samples):
        return tf.zeros([0, *config.feature_shape(config.n_frames(samples.shape[1]), _channels(samples, kernel))])
    features = kernel.batch(samples, tf.cast(lengths, tf.int32))
    frames = None if samples.shape[1] is None else config.n_frames(samples.shape[1])
    return tf.ensure_shape(features, [samples.shape[0], *config.feature_shape(frames, _channels(samples, kernel))])


def _checked_lengths(lengths: Any, samples: tf.Tensor) -> Any:
    if not tf.is_tensor(lengths):
        lengths = np.asarray(lengths) if np.size(lengths) else np.zeros(0, np.int64)
    is_integer = tf.as_dtype(lengths.dtype).is_integer
    if waveforms.is_symbolic(lengths) or waveforms.is_symbolic(samples):
        if not is_integer:
            raise ArgumentError(f"lengths must be integers. Received: dtype={tf.as_dtype(lengths.dtype).name}.")
        return lengths
    values, (size, time) = np.asarray(lengths), samples.shape[:2]
    if not is_integer or values.shape != (size,) or not ((values >= 0) & (values <= time)).all():
        raise ArgumentError(
            f"lengths must be {size} integers of 0 .. {time}, one for each clip of the batch. "
            f"Received: {values.tolist()}."
        )
    return lengths


def _channels(samples: tf.Tensor, kernel: Kernel) -> int | None:
    """Returns the number of channels after mixing down, or None if it is not known."""
    return samples.shape[-1] if kernel.config.channels is None else kernel.config.channels

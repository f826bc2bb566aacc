"""Ragged batches: clips of any lengths in a `tf.RaggedTensor`, which carries the lengths."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.configs import Config
from audiopipe.errors import ArgumentError
from audiopipe.transform import waveforms
from audiopipe.transform.kernel import Kernel

UNEQUAL_CHANNELS = (
    "All clips of a batch must have the same number of channels. Set channels in the config, or batch only clips with "
    "equal numbers of channels."
)


@dataclass(frozen=True, slots=True)
class RaggedBatch:
    """Clips of any lengths, one after another.

    Args:
        samples: float32 tensor `[time of all clips, channels]`.
        row_splits: Where each clip starts and ends in `samples`, a tensor of integers `[batch + 1]`.
    """

    samples: tf.Tensor
    row_splits: tf.Tensor

    @property
    def lengths(self) -> tf.Tensor:
        """Number of samples of each clip, int64 `[batch]`."""
        return tf.cast(self.row_splits[1:] - self.row_splits[:-1], tf.int64)


def is_ragged(value: Any) -> bool:
    """Returns whether a value is a ragged tensor, eager or symbolic."""
    return isinstance(value, tf.RaggedTensor)


def classify(ragged: tf.RaggedTensor, lengths: Any, config: Config) -> RaggedBatch:
    """Returns the clips of a ragged tensor.

    Args:
        ragged: Floating-point samples, `[batch, (time)]` or `[batch, (time), channels]`. The channels may be a ragged
            axis too, as `ragged_batch` makes it of clips with unknown numbers of channels, but must be equally many.
        lengths: Number of samples of each clip as an argument beside the tensor. It must be None.
        config: The config of the feature.

    Raises:
        ArgumentError: If there are lengths beside the tensor, or the config does not accept the samples.
    """
    if lengths is not None:
        raise ArgumentError(
            "A ragged tensor must come without lengths, because it carries those of its clips. Received: lengths="
            f"{lengths!r}. Leave them out, or pass a padded batch: waveform.to_tensor()."
        )
    if ragged.shape.rank not in (2, 3):
        raise ArgumentError(
            f"A ragged tensor must be [batch, (time)] or [batch, (time), channels]. Received: shape={ragged.shape}."
        )
    samples = _with_equal_channels(ragged.values) if is_ragged(ragged.values) else ragged.values
    waveforms.check(samples, None, config)
    samples = tf.cast(samples, tf.float32)
    return RaggedBatch(samples if samples.shape.rank == 2 else samples[:, None], ragged.row_splits)


def compute(batch: RaggedBatch, kernel: Kernel) -> tf.RaggedTensor:
    """Computes the features of the clips, each with the bits that it has alone.

    Returns:
        float32 `[batch, (frames), bins, channels]`, or `[batch, channels, (frames), bins]` for `channels_first`.
    """
    config = kernel.config
    values = kernel.ragged(batch.samples, tf.cast(batch.row_splits, tf.int64))
    frames = config.n_frames(batch.lengths)
    channels = batch.samples.shape[1] if config.channels is None else config.channels
    if config.output_data_format == "channels_last":
        values = tf.ensure_shape(values, config.feature_shape(None, channels))
        return tf.RaggedTensor.from_row_lengths(values, frames, validate=False)
    channels = (channels or tf.shape(batch.samples, tf.int64)[1]) * len(config.quantities)
    rows = tf.RaggedTensor.from_row_lengths(values, tf.repeat(frames, channels), validate=False)
    return tf.RaggedTensor.from_uniform_row_length(rows, channels, validate=False)


def _with_equal_channels(samples: tf.RaggedTensor) -> tf.Tensor:
    """Converts samples `[time, (channels)]` to `[time, channels]`.

    Raises:
        ArgumentError: If the numbers of channels differ. In a graph, an `InvalidArgumentError` when it runs.
    """
    found, values = samples.row_lengths(), samples.flat_values
    if not waveforms.is_symbolic(found):
        if len(np.unique(found)) > 1:
            raise ArgumentError(f"{UNEQUAL_CHANNELS} Received: {', '.join(map(str, np.unique(found)))} channels.")
        return tf.reshape(values, [len(found), found[0] if len(found) else 1])
    channels = tf.concat([found, tf.ones([1], found.dtype)], axis=0)[0]  # 1 if there are no samples
    fits = tf.debugging.assert_equal(found, channels, UNEQUAL_CHANNELS)
    with tf.control_dependencies([fits]):
        return tf.reshape(values, [samples.nrows(), channels])

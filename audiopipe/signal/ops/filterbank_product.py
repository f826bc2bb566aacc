"""Products of spectrograms and filterbanks."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def apply_filterbank(spectrogram: tf.Tensor, filterbank: tf.Tensor) -> tf.Tensor:
    """Multiply the last axis with a matrix.

    `tf.matmul` and `tf.tensordot` round differently for other ranks, for a single frame and for other numbers of
    threads; this form of `einsum` does not.

    Args:
        spectrogram: `[..., frequency]`.
        filterbank: `[frequency, bins]`, of the same dtype.

    Returns:
        `[..., bins]`.
    """
    return tf.einsum("...f,fm->...m", spectrogram, filterbank)


def apply_in_parts(spectrogram: tf.Tensor, filterbank: tf.Tensor, parts: Sequence[tuple[int, np.ndarray]]) -> tf.Tensor:
    """`apply_filterbank` with a filterbank that was cut into parts, without most of its zeros.

    The gradient is that of the whole filterbank, in one product: to add those of the parts takes longer.

    Args:
        spectrogram: `[..., frequency]`.
        filterbank: `[frequency, bins]`, of the same dtype.
        parts: What `audiopipe.signal.filterbank_blocks.parts` gives of it. Fewer than two mean the whole.

    Returns:
        `[..., bins]`.
    """
    if len(parts) < 2:
        return apply_filterbank(spectrogram, filterbank)

    @tf.custom_gradient
    def product(spectrogram: tf.Tensor):
        cut = [(spectrogram[..., first : first + len(weights)], tf.constant(weights)) for first, weights in parts]
        bands = tf.concat([apply_filterbank(bins, weights) for bins, weights in cut], axis=-1)
        return bands, lambda upstream: tf.einsum("...m,fm->...f", upstream, filterbank)

    return product(spectrogram)


def combine_bins(
    spectrogram: tf.Tensor,
    matrix: tf.Tensor,
    data_format: str,
    parts: Sequence[tuple[int, np.ndarray]] = (),
) -> tf.Tensor:
    """Multiply the bins of a batch of spectrograms with a matrix, see `apply_filterbank`.

    Args:
        spectrogram: `[batch, frames, bins, channels]`, or `[batch, channels, frames, bins]` for `channels_first`.
        matrix: `[bins, new bins]`, of the same dtype.
        data_format: `"channels_last"` or `"channels_first"`.
        parts: The matrix cut into parts, see `apply_in_parts`.

    Returns:
        The same with `new bins`.
    """
    if data_format == "channels_first":
        return apply_in_parts(spectrogram, matrix, parts)
    return tf.transpose(apply_in_parts(tf.transpose(spectrogram, [0, 3, 1, 2]), matrix, parts), [0, 2, 3, 1])

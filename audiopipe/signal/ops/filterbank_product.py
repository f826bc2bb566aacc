"""Products of spectrograms and filterbanks."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def apply_filterbank(spectrogram: tf.Tensor, filterbank: tf.Tensor) -> tf.Tensor:
    """Multiplies the last axis by a matrix.

    The rounding of `tf.matmul` and `tf.tensordot` depends on the rank, on the number of threads and on whether there
    is a single frame. The rounding of this form of `einsum` does not.

    Args:
        spectrogram: Tensor of shape `[..., frequency]`.
        filterbank: Tensor of shape `[frequency, bins]`, of the same dtype.

    Returns:
        Tensor of shape `[..., bins]`.
    """
    return tf.einsum("...f,fm->...m", spectrogram, filterbank)


def apply_in_parts(spectrogram: tf.Tensor, filterbank: tf.Tensor, parts: Sequence[tuple[int, np.ndarray]]) -> tf.Tensor:
    """Applies a filterbank part by part, without most of its zeros.

    The gradient is one product with the whole filterbank, because adding the gradients of the parts takes longer.

    Args:
        spectrogram: Tensor of shape `[..., frequency]`.
        filterbank: Tensor of shape `[frequency, bins]`, of the same dtype.
        parts: Result of `audiopipe.signal.filterbank_blocks.parts`. With fewer than two parts, the whole filterbank is
            applied.

    Returns:
        Tensor of shape `[..., bins]`.
    """
    if len(parts) < 2:
        return apply_filterbank(spectrogram, filterbank)

    @tf.custom_gradient
    def product(spectrogram: tf.Tensor):
        blocks = [(spectrogram[..., first : first + len(weights)], tf.constant(weights)) for first, weights in parts]
        bands = tf.concat([apply_filterbank(bins, weights) for bins, weights in blocks], axis=-1)
        return bands, lambda upstream: tf.einsum("...m,fm->...f", upstream, filterbank)

    return product(spectrogram)


def combine_bins(
    spectrogram: tf.Tensor,
    matrix: tf.Tensor,
    data_format: str,
    parts: Sequence[tuple[int, np.ndarray]] = (),
) -> tf.Tensor:
    """Multiplies the bins of a batch of spectrograms by a matrix, see `apply_filterbank`.

    Args:
        spectrogram: Tensor of shape `[batch, frames, bins, channels]`, or `[batch, channels, frames, bins]` for
            `channels_first`.
        matrix: Tensor of shape `[bins, new bins]`, of the same dtype.
        data_format: `"channels_last"` or `"channels_first"`.
        parts: Parts of the matrix, see `apply_in_parts`.

    Returns:
        Tensor of the same shape, but with `new bins`.
    """
    if data_format == "channels_first":
        return apply_in_parts(spectrogram, matrix, parts)
    return tf.transpose(apply_in_parts(tf.transpose(spectrogram, [0, 3, 1, 2]), matrix, parts), [0, 2, 3, 1])

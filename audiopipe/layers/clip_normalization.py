"""Layer that normalizes each bin of a clip to mean 0 and standard deviation 1."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.spectrogram_layer import SpectrogramLayer
from audiopipe.signal import ops

LARGEST_FRAMES = 2**26  # the smallest deviations divided by so many are still far from subnormal


@keras.saving.register_keras_serializable(package="audiopipe")
class ClipNormalization(SpectrogramLayer):
    """Normalization of each bin and channel of a clip over its frames.

    The result is `(x - mean) / (sqrt(variance + variance_epsilon) + std_epsilon)`, where the sum of the squared
    deviations is divided by `frames - ddof` to compute the variance.

    A bin that is constant, as in silence or in a single frame, becomes 0. Several front ends divide 0 by 0 there.
    Deviations from the mean below 2**-50 (2**-498 in float64) count as 0.

    The bits for a clip do not depend on the other clips of a batch. The sums have a fixed order, and deviations are
    computed from the first frame, so a large offset costs no precision.

    Args:
        ddof: "Delta degrees of freedom" as in NumPy: 0 or 1.
        std_epsilon: Number that is added to the standard deviation, at least 0. NeMo adds 1e-5.
        variance_epsilon: Number that is added to the variance, at least 0. SeamlessM4T adds 1e-7.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real, usually
        logarithms. All frames count, so a clip must not be padded.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4.

    Example:
        >>> frames = tf.constant([[1.0, 5.0], [3.0, 5.0]])
        >>> ClipNormalization()(frames[None, :, :, None]).numpy()[0, ..., 0]
        array([[-1.,  0.],
               [ 1.,  0.]], dtype=float32)

    See Also:
        `Standardize`: fixed numbers in place of those of the clip.
    """

    whole_clip = "each bin is normalized over all frames of the clip"

    def __init__(
        self,
        ddof: int = 0,
        std_epsilon: float = 0.0,
        variance_epsilon: float = 0.0,
        data_format: str = "default",
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.ddof = checks.choice("ddof", ddof, (0, 1))
        self.std_epsilon = checks.real("std_epsilon", std_epsilon, minimum=0, maximum=checks.LARGEST_FLOAT32)
        self.variance_epsilon = checks.real(
            "variance_epsilon", variance_epsilon, minimum=0, maximum=checks.LARGEST_FLOAT32
        )

    def call(self, spectrogram):
        """Normalizes a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        dtype = spectrogram.dtype
        frames = tf.shape(spectrogram)[self.frame_axis]
        # A constant bin has a deviation of exactly 0 from its first frame, but not from its rounded mean.
        first = spectrogram[:, :1] if self.frame_axis == 1 else spectrogram[:, :, :1]
        shifted = spectrogram - tf.stop_gradient(first)  # the result does not depend on what is subtracted
        deviations = _without_subnormal_squares(shifted - self._sum(shifted) * _reciprocal(frames, dtype))
        variance = self._sum(deviations * deviations) * _reciprocal(frames - self.ddof, dtype)
        variance += tf.constant(self.variance_epsilon, dtype)
        # The gradient of the root is infinite at 0.
        varies = variance > 0
        std = tf.sqrt(tf.where(varies, variance, tf.ones([], dtype)))
        std = tf.where(varies, std, tf.zeros([], dtype)) + tf.constant(self.std_epsilon, dtype)
        normalized = deviations / tf.where(std > 0, std, tf.ones([], dtype))
        return tf.ensure_shape(normalized, shape)

    def _sum(self, values: tf.Tensor) -> tf.Tensor:
        return ops.ordered_sum(values, self.frame_axis)

    def get_config(self):
        return {
            **super().get_config(),
            "ddof": self.ddof,
            "std_epsilon": self.std_epsilon,
            "variance_epsilon": self.variance_epsilon,
        }


def _reciprocal(count: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns 1 / count, or 1 for a count below 1. A product has the same bits in a graph, and a division may not."""
    return 1 / tf.cast(tf.maximum(count, 1), dtype)


def _without_subnormal_squares(deviations: tf.Tensor) -> tf.Tensor:
    """Replaces deviations by 0 if their square, divided by the number of frames, might be subnormal.

    Some threads flush subnormal numbers to zero.
    """
    smallest = math.sqrt(np.finfo(deviations.dtype.as_numpy_dtype).tiny * LARGEST_FRAMES)
    inaudible = tf.abs(deviations) < tf.constant(smallest, deviations.dtype)
    return tf.where(inaudible, tf.zeros([], deviations.dtype), deviations)

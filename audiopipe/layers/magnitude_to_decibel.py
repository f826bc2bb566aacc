"""Layer that converts magnitudes or powers to decibels."""

import math
from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class MagnitudeToDecibel(AudioLayer):
    """Decibel scale with a limited dynamic range: `10 * log10(max(x, amin) / max(ref_value, amin))`.

    The factor is 10 for powers and for magnitudes, as in Kapre. Values more than `dynamic_range` below the maximum of
    the clip are raised to that limit. The maximum is taken over all frames, bins and channels of one clip. It does not
    depend on the other clips of a batch.

    Args:
        ref_value: Value that becomes 0 dB, greater than 0.
        amin: Minimum value, greater than 0. Smaller values are raised to it before the logarithm.
        dynamic_range: Maximum difference between the largest and the smallest value of a clip, in decibels. Greater
            than 0.

    Input shape:
        `(batch, ...)`, real, usually `(batch, frames, bins, channels)`. A tensor of rank 1 is one clip.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> MagnitudeToDecibel(dynamic_range=30.0)(tf.constant([[100.0, 1.0, 0.0]])).numpy()
        array([[ 20.,   0., -10.]], dtype=float32)
    """

    whole_clip = "decibels are relative to the maximum of the clip"

    def __init__(self, ref_value: float = 1.0, amin: float = 1e-5, dynamic_range: float = 80.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.ref_value = checks.real("ref_value", ref_value, minimum=checks.SMALLEST_FLOAT32)
        self.amin = checks.real("amin", amin, minimum=checks.SMALLEST_FLOAT32)
        self.dynamic_range = checks.real("dynamic_range", dynamic_range, above=0)

    def call(self, spectrogram):
        """Converts a batch of spectrograms to decibels."""
        self.check_input(spectrogram)
        dtype = spectrogram.dtype
        reference = 10 * math.log10(max(self.ref_value, self.amin))
        decibels = ops.log10(tf.maximum(spectrogram, tf.constant(self.amin, dtype)), factor=10)
        if reference:
            decibels = decibels - tf.constant(reference, dtype)
        axes = list(range(1, spectrogram.shape.rank)) or None
        maximum = tf.reduce_max(decibels, axis=axes, keepdims=True)
        return tf.maximum(decibels, maximum - tf.constant(self.dynamic_range, dtype))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "ref_value": self.ref_value,
            "amin": self.amin,
            "dynamic_range": self.dynamic_range,
        }

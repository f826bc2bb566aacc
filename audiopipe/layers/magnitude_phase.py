"""Layer that splits a complex spectrogram into magnitude and phase."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.complex_layer import TwoPartLayer
from audiopipe.layers.magnitude import Magnitude
from audiopipe.layers.magnitude_to_decibel import MagnitudeToDecibel
from audiopipe.layers.phase import Phase


@keras.saving.register_keras_serializable(package="audiopipe")
class MagnitudePhase(TwoPartLayer):
    """Magnitude and phase of a complex spectrogram: the magnitudes of all channels, then the phases of all channels.

    Args:
        return_decibel: Whether to convert the magnitudes to decibels, see `MagnitudeToDecibel`.
        db_amin: Minimum magnitude. Smaller magnitudes are raised to it before the logarithm.
        db_ref_value: Magnitude that becomes 0 dB.
        db_dynamic_range: Maximum difference between the largest and the smallest magnitude of a clip, in decibels.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Complex.

    Output shape:
        Same as the input, with twice as many channels. Real, with phases in radians, see `Phase`.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not complex or not of rank 4.

    Example:
        >>> MagnitudePhase()(tf.constant([[[[2j, -3.0]]]], tf.complex64)).numpy()
        array([[[[2.       , 3.       , 1.5707964, 3.1415927]]]], dtype=float32)
    """

    def __init__(
        self,
        return_decibel: bool = False,
        db_amin: float = 1e-5,
        db_ref_value: float = 1.0,
        db_dynamic_range: float = 80.0,
        data_format: str = "default",
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.return_decibel = checks.boolean("return_decibel", return_decibel)
        self.frame_local = not return_decibel
        self.whole_clip = MagnitudeToDecibel.whole_clip if return_decibel else None
        self.magnitude = Magnitude(dtype=self.dtype_policy)
        self.decibel = MagnitudeToDecibel(db_ref_value, db_amin, db_dynamic_range, dtype=self.dtype_policy)
        self.phase = Phase(dtype=self.dtype_policy)

    def build(self, input_shape):
        for layer in (self.magnitude, self.decibel, self.phase):
            layer.build(input_shape)

    # Calling an inner layer would cast its input to the layer's own precision, so its methods are called instead.

    def call(self, spectrogram):
        """Computes the magnitude and phase of every value."""
        self.check_input(spectrogram)
        return self._join(self.magnitude.call(spectrogram), self.phase.call(spectrogram))

    def call_real(self, spectrogram):
        return self._join(self.magnitude.call_real(spectrogram), self.phase.call_real(spectrogram))

    def get_config(self):
        return {
            **super().get_config(),
            "return_decibel": self.return_decibel,
            "db_amin": self.decibel.amin,
            "db_ref_value": self.decibel.ref_value,
            "db_dynamic_range": self.decibel.dynamic_range,
        }

    def _join(self, magnitude: tf.Tensor, phase: tf.Tensor) -> tf.Tensor:
        return self.join(self.decibel.call(magnitude) if self.return_decibel else magnitude, phase)

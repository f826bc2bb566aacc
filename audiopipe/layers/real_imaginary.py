"""Layer that splits a complex spectrogram into real and imaginary part."""

import keras
import tensorflow as tf

from audiopipe.layers.complex_layer import TwoPartLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class RealImaginary(TwoPartLayer):
    """Parts of a complex spectrogram: the real parts of all channels, then the imaginary parts of all channels.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Complex.

    Output shape:
        Same as the input, with twice as many channels. Real.

    Raises:
        ArgumentError: If the input is not complex or not of rank 4.

    Example:
        >>> RealImaginary()(tf.constant([[[[3 + 4j, 5.0]]]], tf.complex64)).numpy()
        array([[[[3., 5., 4., 0.]]]], dtype=float32)
    """

    frame_local = True

    def call(self, spectrogram):
        """Splits a batch of spectrograms."""
        self.check_input(spectrogram)
        return self.join(tf.math.real(spectrogram), tf.math.imag(spectrogram))

    def call_real(self, spectrogram):
        return self.join(*spectrogram)

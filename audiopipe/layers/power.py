"""Layer that raises magnitudes to a power."""

from typing import Any

import keras

from audiopipe import checks
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class Power(AudioLayer):
    """Magnitudes raised to a power.

    The gradient at silence is zero, even if the formula gives an infinite gradient.

    Args:
        exponent: Exponent, greater than 0. An exponent of 2 turns magnitudes into powers.

    Input shape:
        Tensor of any shape, usually `(batch, frames, bins, channels)`. Real and non-negative.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If the exponent is out of range.

    Example:
        >>> Power(2.0)(tf.constant([[3.0, 0.5]])).numpy()
        array([[9.  , 0.25]], dtype=float32)
    """

    frame_local = True

    def __init__(self, exponent: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.exponent = checks.real("exponent", exponent, above=0)

    def call(self, magnitudes):
        """Raises every value to the power."""
        self.check_input(magnitudes)
        return ops.power(magnitudes, self.exponent)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "exponent": self.exponent}

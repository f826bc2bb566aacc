"""Layer that computes the logarithm of magnitudes or powers."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.signal import ops
from audiopipe.signal.log_mel import SMALLEST_LOG_OFFSET

LOGARITHMS = {"e": ops.log, "10": ops.log10}


@keras.saving.register_keras_serializable(package="audiopipe")
class Logarithm(AudioLayer):
    """Logarithm with a floor or an offset: `multiplier * log(factor * max(x, floor) + offset)`.

    Published front ends avoid the logarithm of 0 in one of two ways. `floor` raises smaller values to it, as in
    Kaldi, librosa and HiFi-GAN. `offset` is added to every value, as in NeMo, VGGish and musicnn.

    The gradient is zero below the floor.

    Args:
        base: Base of the logarithm, `"e"` or `"10"`.
        multiplier: Factor on the logarithm, not 0. With base 10, the factor 10 gives decibels.
        floor: Minimum value, greater than 0. Smaller values are raised to it before anything else.
        factor: Factor on the values, greater than 0.
        offset: Number that is added before the logarithm, at least 1e-30, or 0 with a floor.

    Input shape:
        Any shape, usually `(batch, frames, bins, channels)`. Real. With an offset, values of at least 0.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range, or if both or none of `floor` and `offset` are given.

    Example:
        >>> Logarithm("10", multiplier=10.0, floor=1e-10)(tf.constant([[100.0, 0.0]])).numpy()
        array([[  20., -100.]], dtype=float32)
        >>> Logarithm(factor=1e4, offset=1.0)(tf.constant([[0.0, 1.0]])).numpy()
        array([[0.      , 9.210441]], dtype=float32)

    See Also:
        `MagnitudeToDecibel`: decibels with a limited dynamic range.
    """

    frame_local = True

    def __init__(
        self,
        base: str = "e",
        multiplier: float = 1.0,
        floor: float | None = None,
        factor: float = 1.0,
        offset: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.base = checks.choice("base", base, tuple(LOGARITHMS))
        self.multiplier = checks.real("multiplier", multiplier)
        if self.multiplier == 0:
            raise checks.fail("multiplier", "other than 0", multiplier)
        self.floor = None if floor is None else checks.real("floor", floor, minimum=checks.SMALLEST_FLOAT32)
        self.factor = checks.real("factor", factor, minimum=checks.SMALLEST_FLOAT32)
        self.offset = checks.real("offset", offset, minimum=0)
        if 0 < self.offset < SMALLEST_LOG_OFFSET:
            raise checks.fail("offset", f"0 or at least {SMALLEST_LOG_OFFSET:g}", offset)
        if (self.floor is None) == (self.offset == 0):
            raise ArgumentError(
                f"Logarithm needs either a floor or an offset, because the logarithm of 0 is infinite. Received: "
                f"floor={floor!r}, offset={offset!r}. Leave out one of them, or use floor=1e-10."
            )

    def call(self, values):
        """Computes the logarithms of a batch."""
        self.check_input(values)
        dtype = values.dtype
        if self.floor is not None:
            values = tf.maximum(values, tf.constant(self.floor, dtype))
        if self.factor != 1:
            values = values * tf.constant(self.factor, dtype)
        if self.offset:
            # A graph replaces log(x + 1) by log1p(x), which rounds differently from an eager call. It leaves x - -1.
            values = values - tf.constant(-self.offset, dtype)
        return LOGARITHMS[self.base](values, self.multiplier)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "base": self.base,
            "multiplier": self.multiplier,
            "floor": self.floor,
            "factor": self.factor,
            "offset": self.offset,
        }

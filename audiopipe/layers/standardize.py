"""Layer that subtracts a mean and divides by a standard deviation."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.spectrogram_layer import LAYOUTS, SpectrogramLayer

Values = float | Sequence[float]


@keras.saving.register_keras_serializable(package="audiopipe")
class Standardize(SpectrogramLayer):
    """Affine step with fixed numbers: `(x - mean) * (1 / std)`.

    The numbers belong to the feature, for example the mean and the standard deviation of a training set. The
    reciprocal is rounded once, so results may differ from a division in the last bit.

    Args:
        mean: Number to subtract, or a sequence of one number for each bin.
        std: Number to divide by, greater than 0, or a sequence of one number for each bin.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4 or has another number of bins.

    Example:
        >>> Standardize([1.0, 2.0], 4.0)(tf.ones([1, 1, 2, 1])).numpy().ravel()
        array([ 0.  , -0.25], dtype=float32)

    See Also:
        `ClipNormalization`: the mean and the standard deviation of each clip.
    """

    frame_local = True

    def __init__(self, mean: Values = 0.0, std: Values = 1.0, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        largest = checks.LARGEST_FLOAT32
        self.mean = _numbers("mean", mean, minimum=-largest, maximum=largest)
        # The reciprocals of these are normal float32 numbers as well.
        self.std = _numbers("std", std, minimum=checks.SMALLEST_FLOAT32, maximum=1 / checks.SMALLEST_FLOAT32)
        sizes = [len(numbers) for numbers in (self.mean, self.std) if isinstance(numbers, list)]
        if len(set(sizes)) > 1:
            raise ArgumentError(
                f"mean and std must have the same number of bins. Received: {sizes[0]} numbers in mean, {sizes[1]} in "
                f"std."
            )
        self._n_bins = sizes[0] if sizes else None

    def call(self, spectrogram):
        """Standardizes a batch of spectrograms."""
        self.check_input(spectrogram)
        # A graph folds the constants of neighbouring products or sums, which rounds differently from an eager call.
        # It does not look for neighbours beyond this operation, which costs nothing.
        spectrogram = tf.ensure_shape(spectrogram, spectrogram.shape)
        centred = spectrogram - self._per_bin(self.mean, spectrogram.dtype)
        return centred * self._per_bin(1 / np.asarray(self.std), spectrogram.dtype)

    def _per_bin(self, numbers: Any, dtype: tf.DType) -> tf.Tensor:
        """Returns a number, or a number for each bin, as a tensor that broadcasts to a spectrogram."""
        values = tf.constant(numbers, dtype)
        return values[:, None] if values.shape.rank and self.data_format == "channels_last" else values

    def compute_output_shape(self, input_shape):
        shape = super().compute_output_shape(input_shape)
        if self._n_bins is not None and shape[self.bin_axis] not in (None, self._n_bins):
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be {LAYOUTS[self.data_format]} with "
                f"{self._n_bins} bins, as mean and std have. Received: shape={shape}. Use numbers that were computed "
                f"for this feature."
            )
        return shape

    def get_config(self):
        return {**super().get_config(), "mean": _plain(self.mean), "std": _plain(self.std)}


def _plain(numbers: float | list[float]) -> float | list[float]:
    """Returns a plain list in place of the list of Keras, which is not a built-in one."""
    return list(numbers) if isinstance(numbers, list) else numbers


def _numbers(name: str, values: Any, minimum: float, maximum: float) -> float | list[float]:
    """Returns a number as a float, and a sequence or array of rank 1 as a list of floats."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if not isinstance(values, (list, tuple)):
        return checks.real(name, values, minimum, maximum=maximum)
    if not values:
        raise checks.fail(name, "a number or a sequence of one number for each bin", values)
    return [checks.real(f"{name}[{place}]", value, minimum, maximum=maximum) for place, value in enumerate(values)]

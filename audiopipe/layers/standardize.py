"""Layer that subtracts a mean and divides by a standard deviation."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.spectrogram_layer import PerBin, SpectrogramLayer, canonical_per_bin, plain_per_bin


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

    def __init__(self, mean: PerBin = 0.0, std: PerBin = 1.0, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.mean = canonical_per_bin("mean", mean)
        # The reciprocals of these are normal float32 numbers as well.
        self.std = canonical_per_bin("std", std, minimum=checks.SMALLEST_FLOAT32, maximum=1 / checks.SMALLEST_FLOAT32)
        sizes = [len(numbers) for numbers in (self.mean, self.std) if isinstance(numbers, list)]
        if len(set(sizes)) > 1:
            raise ArgumentError(
                f"mean and std must have the same number of bins. Received: {sizes[0]} numbers in mean, {sizes[1]} in "
                f"std."
            )

    def call(self, spectrogram):
        """Standardizes a batch of spectrograms."""
        self.check_input(spectrogram)
        # A graph folds the constants of neighbouring products or sums, which rounds differently from an eager call.
        # It does not look for neighbours beyond this operation, which costs nothing.
        spectrogram = tf.ensure_shape(spectrogram, spectrogram.shape)
        centred = spectrogram - self.per_bin(self.mean, spectrogram.dtype)
        return centred * self.per_bin(1 / np.asarray(self.std), spectrogram.dtype)

    def compute_output_shape(self, input_shape):
        shape = super().compute_output_shape(input_shape)
        self.check_bins(shape, "mean", self.mean)
        self.check_bins(shape, "std", self.std)
        return shape

    def get_config(self):
        return {**super().get_config(), "mean": plain_per_bin(self.mean), "std": plain_per_bin(self.std)}

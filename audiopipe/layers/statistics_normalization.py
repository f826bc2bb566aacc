"""Layer that normalizes features by the statistics of a data set."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.spectrogram_layer import LAYOUTS, SpectrogramLayer
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class StatisticsNormalization(SpectrogramLayer):
    """Normalization with the statistics of a data set: `(x - mean) / std`.

    The result has the bits of the same two operations of NumPy in float32, eagerly and in every graph that XLA does not
    compile. It is the last step of `audiopipe.configs.Config.normalized`.

    Args:
        mean: Numbers to subtract, `[bins, channels]`. Either size may be 1, for a number that fits all of them.
        std: Numbers to divide by, of the same shape, greater than 0.
        quantities: Number of quantities of the input. If `mean` has that many channels, the input may have any number
            of channels for each quantity: first those of the first quantity, then those of the next one.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4 or has another number of bins or
            channels.

    Example:
        >>> StatisticsNormalization([[1.0], [2.0]], [[4.0], [0.5]])(tf.ones([1, 1, 2, 1])).numpy().ravel()
        array([ 0., -2.], dtype=float32)

    See Also:
        `ClipNormalization`: the mean and the standard deviation of each clip.
        `Standardize`: multiplies by the reciprocal of the standard deviation, which differs in the last bit.
    """

    frame_local = True

    def __init__(self, mean: Any, std: Any, quantities: int = 1, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.mean = _table("mean", mean, minimum=-checks.LARGEST_FLOAT32)
        self.std = _table("std", std, minimum=checks.SMALLEST_FLOAT32)
        self.quantities = checks.integer("quantities", quantities, minimum=1)
        if self.mean.shape != self.std.shape:
            raise ArgumentError(
                "mean and std must have the same shape, [bins, channels]. Received: "
                f"{list(self.mean.shape)} numbers in mean, {list(self.std.shape)} in std."
            )

    def call(self, spectrogram):
        """Normalizes a batch of spectrograms."""
        self.check_input(spectrogram)
        mean, std = self._spread(self.mean, spectrogram), self._spread(self.std, spectrogram)
        return ops.standardize(spectrogram, mean, std)

    def _spread(self, table: np.ndarray, spectrogram: tf.Tensor) -> tf.Tensor:
        """Returns numbers `[bins, channels]` as a tensor that broadcasts to a spectrogram."""
        channels = spectrogram.shape[self.channel_axis]
        if self._is_repeated and channels is not None:
            table = np.repeat(table, channels // self.quantities, axis=-1)
        values = tf.constant(table, spectrogram.dtype)
        if self._is_repeated and channels is None:
            values = tf.repeat(values, tf.shape(spectrogram)[self.channel_axis] // self.quantities, axis=-1)
        return values if self.data_format == "channels_last" else tf.transpose(values)[:, None]

    @property
    def clip_channels(self) -> int:
        """Smallest number of channels of a clip with which the input has the channels of `mean`."""
        return max(1, self.mean.shape[1] // self.quantities)

    @property
    def _is_repeated(self) -> bool:
        """Whether the numbers of a quantity apply to each of its channels."""
        return self.mean.shape[1] == self.quantities > 1

    def compute_output_shape(self, input_shape):
        shape = super().compute_output_shape(input_shape)
        bins, channels = self.mean.shape
        fits = bins == 1 or shape[self.bin_axis] in (None, bins)
        found = shape[self.channel_axis]
        fits = fits and (channels == 1 or found in (None, channels) or (self._is_repeated and found % channels == 0))
        if not fits:
            multiple = "a multiple of " if self._is_repeated else ""
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be {LAYOUTS[self.data_format]} with "
                f"{'any number of' if bins == 1 else bins} bins and "
                f"{'any number of' if channels == 1 else f'{multiple}{channels}'} channels, as mean and std have. "
                f"Received: shape={tuple(shape)}. Use statistics that were computed for this feature."
            )
        return shape

    def get_config(self):
        return {
            **super().get_config(),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "quantities": self.quantities,
        }


def _table(name: str, values: Any, minimum: float) -> np.ndarray:
    """Returns numbers `[bins, channels]` as float64.

    Raises:
        ArgumentError: If the values are not such numbers, or out of range.
    """
    try:
        table = np.asarray(values)
    except ValueError:  # rows of different lengths
        table = np.zeros(0)
    if table.ndim != 2 or table.size == 0 or table.dtype.kind not in "iuf":
        raise checks.fail(name, "numbers [bins, channels]", values)
    table = table.astype(np.float64)
    wrong = np.argwhere(~((table >= minimum) & (table <= checks.LARGEST_FLOAT32)))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise checks.fail(
            f"{name}{list(place)}", f"at least {minimum:g} and at most {checks.LARGEST_FLOAT32:g}", float(table[place])
        )
    return table

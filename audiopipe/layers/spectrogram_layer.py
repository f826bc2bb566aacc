"""Base class of layers that take spectrograms in one data format."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.audio_layer import AudioLayer, resolve_data_format

PerBin = float | Sequence[float]

LAYOUTS = {
    "channels_last": "(batch, frames, bins, channels)",
    "channels_first": "(batch, channels, frames, bins)",
}


class SpectrogramLayer(AudioLayer):
    """Base class of layers from a batch of spectrograms to a batch of spectrograms.

    It provides the axes of frames, bins and channels, and refuses any input but a batch of real spectrograms.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
    """

    def __init__(self, data_format: str = "default", **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = resolve_data_format("data_format", data_format)
        axes = (1, 2, 3) if self.data_format == "channels_last" else (2, 3, 1)
        self.frame_axis, self.bin_axis, self.channel_axis = axes

    def compute_output_shape(self, input_shape):
        self.check_rank(input_shape, 4, LAYOUTS[self.data_format])
        return tuple(input_shape)

    def compute_output_dtype(self, input_dtype):
        self.check_floating(input_dtype)
        return self.compute_dtype

    def per_bin(self, numbers: Any, dtype: tf.DType) -> tf.Tensor:
        """Returns a number, or a number for each bin, as a tensor that broadcasts to a spectrogram."""
        values = tf.constant(numbers, dtype)
        return values[:, None] if values.shape.rank and self.data_format == "channels_last" else values

    def check_bins(self, shape: tuple[int | None, ...], name: str, numbers: Any) -> None:
        """Raises an error if numbers of each bin are not as many as the bins of a spectrogram.

        Raises:
            ArgumentError: If they are not.
        """
        if isinstance(numbers, list) and shape[self.bin_axis] not in (None, len(numbers)):
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be {LAYOUTS[self.data_format]} with "
                f"{len(numbers)} bins, one for each number of {name}. Received: shape={tuple(shape)}. Use numbers that "
                "were computed for this feature."
            )

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


def canonical_per_bin(
    name: str, values: Any, minimum: float = -checks.LARGEST_FLOAT32, maximum: float = checks.LARGEST_FLOAT32
) -> float | list[float]:
    """Returns a number as a float, and a sequence or an array of one number for each bin as a list of floats.

    Raises:
        ArgumentError: If the values are not such numbers, or out of range.
    """
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if not isinstance(values, (list, tuple)):
        return checks.real(name, values, minimum, maximum=maximum)
    if not values:
        raise checks.fail(name, "a number or a sequence of one number for each bin", values)
    return [checks.real(f"{name}[{place}]", value, minimum, maximum=maximum) for place, value in enumerate(values)]


def plain_per_bin(numbers: float | list[float]) -> float | list[float]:
    """Returns a plain list in place of the list of Keras, which is not a built-in one."""
    return list(numbers) if isinstance(numbers, list) else numbers

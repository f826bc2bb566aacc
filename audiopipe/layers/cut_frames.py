"""Layer that drops the last frames of a clip."""

from typing import Any

import keras

from audiopipe import checks
from audiopipe.layers.spectrogram_layer import SpectrogramLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class CutFrames(SpectrogramLayer):
    """Removal of frames at the end of a clip.

    NeMo, for example, computes one frame more than it counts as audio.

    Args:
        count: Number of frames to drop, at least 1. A clip of fewer frames has none left.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real.

    Output shape:
        Same as the input, with `max(frames - count, 0)` frames.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4.

    Example:
        >>> CutFrames(2)(tf.reshape([1.0, 2.0, 3.0], [1, 3, 1, 1])).numpy().ravel()
        array([1.], dtype=float32)

    See Also:
        `PadFrames`: appends frames, and can cut a clip to a given number of frames.
    """

    def __init__(self, count: int, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.count = checks.integer("count", count, minimum=1)
        self.frame_context = 0, self.count

    def call(self, spectrogram):
        """Cuts a batch of spectrograms."""
        self.check_input(spectrogram)
        return spectrogram[:, : -self.count] if self.frame_axis == 1 else spectrogram[:, :, : -self.count]

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        frames = shape[self.frame_axis]
        shape[self.frame_axis] = None if frames is None else max(frames - self.count, 0)
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "count": self.count}

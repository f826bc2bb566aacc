"""Layer that computes the energy of frames."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.frame import Frame
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class Energy(Frame):
    """Energy of each frame of a waveform: the sum of squares, scaled to a duration of `ref_duration` seconds.

    The sum is multiplied by `ref_duration * sample_rate / frame_length`, so that energies are comparable between frame
    lengths.

    Args:
        sample_rate: Sample rate of the waveform, in hertz.
        ref_duration: Duration that the energy is scaled to, in seconds.
        frame_length: Samples per frame.
        hop_length: Samples between the starts of neighbouring frames.
        pad_end: Whether to pad the end of the waveform, so that a frame starts at every multiple of `hop_length`.
        pad_value: Value of the padding.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`. Real.

    Output shape:
        `(batch, frames, channels)`, or `(batch, channels, frames)`. Non-negative.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 3.

    Example:
        >>> layer = Energy(sample_rate=1000, ref_duration=0.1, frame_length=200, hop_length=100)
        >>> layer(tf.fill([1, 400, 1], 0.5)).numpy()[0, :, 0]
        array([25., 25., 25.], dtype=float32)
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        ref_duration: float = 0.1,
        frame_length: int = 2205,
        hop_length: int = 1102,
        pad_end: bool = False,
        pad_value: float = 0,
        data_format: str = "default",
        **kwargs: Any,
    ):
        super().__init__(frame_length, hop_length, pad_end, pad_value, data_format, **kwargs)
        self.sample_rate = checks.integer("sample_rate", sample_rate, minimum=1)
        self.ref_duration = checks.real("ref_duration", ref_duration, above=0)

    def call(self, waveform):
        """Computes the energies of a batch of waveforms."""
        self.check_input(waveform)
        channels_last = self.data_format == "channels_last"
        frames = self.frames(tf.transpose(waveform, [0, 2, 1]) if channels_last else waveform, axis=2)
        scale = self.ref_duration * self.sample_rate / self.frame_length
        energies = ops.pairwise_sum(frames * frames) * tf.constant(scale, frames.dtype)
        return tf.transpose(energies, [0, 2, 1]) if channels_last else energies

    def compute_output_shape(self, input_shape):
        shape = super().compute_output_shape(input_shape)
        return (*shape[:2], shape[3]) if self.data_format == "channels_last" else shape[:3]

    def get_config(self):
        return {**super().get_config(), "sample_rate": self.sample_rate, "ref_duration": self.ref_duration}

"""Energy of the frames of a waveform."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.frame import Frame
from audiopipe.signal import ops


@keras.saving.register_keras_serializable(package="audiopipe")
class Energy(Frame):
    """Energy of each frame of a waveform: its sum of squares, as if a frame lasted `ref_duration` seconds.

    The sum is multiplied with `ref_duration * sample_rate / frame_length`, so that energies of frames of different
    lengths compare.

    Args:
        sample_rate: Samples per second of the waveform, in hertz.
        ref_duration: The duration that the energy is that of, in seconds.
        frame_length: Samples of a frame.
        hop_length: Samples between the starts of neighbouring frames.
        pad_end: Whether `pad_value` follows the waveform, so that every sample is the start of a frame or within one.
        pad_value: What follows.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`. Real.

    Output shape:
        `(batch, frames, channels)`, or `(batch, channels, frames)`. Not negative.

    Raises:
        ArgumentError: If an argument is out of range or the input is not of rank 3.

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
        """Compute the energies of a batch of waveforms."""
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

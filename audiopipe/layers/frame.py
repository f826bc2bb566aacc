"""Layer that cuts a waveform into frames."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.waveform_layer import WaveformLayer
from audiopipe.signal import ops
from audiopipe.signal.framing import Framing


@keras.saving.register_keras_serializable(package="audiopipe")
class Frame(WaveformLayer):
    """Overlapping frames of a waveform.

    Args:
        frame_length: Samples per frame.
        hop_length: Samples between the starts of neighbouring frames.
        pad_end: Whether to pad the end of the waveform, so that a frame starts at every multiple of `hop_length`.
        pad_value: Value of the padding.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`. Real.

    Output shape:
        `(batch, frames, frame_length, channels)`, or `(batch, channels, frames, frame_length)`. A clip shorter than a
        frame has frames only if `pad_end` is True.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 3.

    Example:
        >>> Frame(frame_length=3, hop_length=2)(tf.reshape(tf.range(6.0), [1, 6, 1])).numpy()[0, :, :, 0]
        array([[0., 1., 2.],
               [2., 3., 4.]], dtype=float32)
    """

    def __init__(
        self,
        frame_length: int,
        hop_length: int,
        pad_end: bool = False,
        pad_value: float = 0,
        data_format: str = "default",
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.frame_length = checks.integer("frame_length", frame_length, minimum=1)
        self.hop_length = checks.integer("hop_length", hop_length, minimum=1)
        self.pad_end = checks.boolean("pad_end", pad_end)
        self.pad_value = checks.real("pad_value", pad_value)
        self.framing = Framing.resolve(n_fft=self.frame_length, hop_length=self.hop_length, pad_end=self.pad_end)

    def call(self, waveform):
        """Cuts a batch of waveforms into frames."""
        self.check_input(waveform)
        return self.frames(waveform, self.time_axis)

    def frames(self, waveform: tf.Tensor, axis: int) -> tf.Tensor:
        """Returns the frames of a batch of waveforms whose time axis is `axis`."""
        return ops.frame(waveform, self.frame_length, self.hop_length, self.pad_end, self.pad_value, axis)

    def compute_output_shape(self, input_shape):
        shape = super().compute_output_shape(input_shape)
        time = shape[self.time_axis]
        n_frames = None if time is None else self.framing.n_frames(time)
        return (*shape[: self.time_axis], n_frames, self.frame_length, *shape[self.time_axis + 1 :])

    def get_config(self):
        return {
            **super().get_config(),
            "frame_length": self.frame_length,
            "hop_length": self.hop_length,
            "pad_end": self.pad_end,
            "pad_value": self.pad_value,
        }

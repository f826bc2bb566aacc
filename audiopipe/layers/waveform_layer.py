"""Base class of layers that take waveforms in one data format."""

from typing import Any

from audiopipe.layers.audio_layer import AudioLayer, resolve_data_format

LAYOUTS = {"channels_last": "(batch, time, channels)", "channels_first": "(batch, channels, time)"}


class WaveformLayer(AudioLayer):
    """Base class of layers that take a batch of waveforms.

    It provides the axes of time and channels, and refuses inputs that are not of rank 3.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
    """

    takes_waveform = True

    def __init__(self, data_format: str = "default", **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = resolve_data_format("data_format", data_format)
        self.time_axis, self.channel_axis = (1, 2) if self.data_format == "channels_last" else (2, 1)

    def compute_output_shape(self, input_shape):
        self.check_rank(input_shape, 3, LAYOUTS[self.data_format])
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}

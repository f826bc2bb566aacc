"""Base class of layers that take spectrograms in one data format."""

from typing import Any

from audiopipe.layers.audio_layer import AudioLayer, resolve_data_format

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

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}

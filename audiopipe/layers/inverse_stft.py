"""Layer that computes the inverse short-time Fourier transform."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import spectrogram_layer
from audiopipe.layers.audio_layer import resolve_data_format
from audiopipe.layers.complex_layer import ComplexLayer
from audiopipe.signal import ops, reconstruction, windows
from audiopipe.signal.framing import Framing


@keras.saving.register_keras_serializable(package="audiopipe")
class InverseSTFT(ComplexLayer):
    """Inverse short-time Fourier transform: the overlap-add of windowed frames.

    The window is the forward window divided by the sum of the squared windows at each sample. The first and the last
    `win_length - hop_length` samples are in fewer frames, so the waveform fades in and out there. To avoid this, see
    `audiopipe.composed.get_perfectly_reconstructing_stft_istft`. A modified spectrogram may not belong to any waveform.
    The layer then returns the nearest waveform in the least-squares sense (Griffin and Lim, 1984).

    Args:
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, in samples, at most `n_fft`. None means `n_fft`.
        hop_length: Samples between neighbouring frames. None means `win_length // 4`.
        forward_window_name: Name of the window of the forward transform, see `window_name` of `STFT`.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: Data format of the output, with the same choices.

    Input shape:
        `(batch, frames, n_fft // 2 + 1, channels)`, or `(batch, channels, frames, n_fft // 2 + 1)` for
        `channels_first`. Complex.

    Output shape:
        `(batch, time, channels)`, or `(batch, channels, time)`. Real, with `(frames - 1) * hop_length + win_length`
        samples, or none if there are no frames.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not complex, not of rank 4, or has another
            number of frequency bins.

    Example:
        >>> from audiopipe.layers import STFT
        >>> waveform = np.ones((1, 1000, 1), "float32")
        >>> again = InverseSTFT(n_fft=256)(STFT(n_fft=256)(waveform))
        >>> again.shape, bool(np.allclose(again[:, 192:768], 1))
        (TensorShape([1, 960, 1]), True)
    """

    def __init__(
        self,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int | None = None,
        forward_window_name: str | None = None,
        input_data_format: str = "default",
        output_data_format: str = "default",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.framing = Framing.resolve(n_fft=n_fft, win_length=win_length, hop_length=hop_length)
        self.forward_window_name = windows.canonical_window_name(forward_window_name)
        window = windows.window(forward_window_name, self.framing.win_length)
        self.window = reconstruction.synthesis_window(window, self.framing.hop_length).astype(self.compute_dtype)
        self.input_data_format = resolve_data_format("input_data_format", input_data_format)
        self.output_data_format = resolve_data_format("output_data_format", output_data_format)

    def call(self, spectrogram):
        """Transforms a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        spectrogram = tf.cast(spectrogram, self.model_input_dtype)
        if self.input_data_format == "channels_last":
            spectrogram = tf.transpose(spectrogram, [0, 3, 1, 2])
        frames = tf.signal.irfft(spectrogram, [self.framing.n_fft])[..., : self.framing.win_length]
        waveform = ops.overlap_add(frames * self.window, self.framing.hop_length)
        if self.output_data_format == "channels_last":
            waveform = tf.transpose(waveform, [0, 2, 1])
        return tf.ensure_shape(waveform, shape)

    def compute_output_shape(self, input_shape):
        layout = spectrogram_layer.LAYOUTS[self.input_data_format]
        self.check_rank(input_shape, 4, layout)
        batch, *rest = input_shape
        frames, n_freq, channels = rest if self.input_data_format == "channels_last" else (*rest[1:], rest[0])
        if n_freq not in (None, self.framing.n_freq):
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be {layout} with {self.framing.n_freq} bins. "
                f"Received: shape={tuple(input_shape)}. Use the output of an STFT with the same n_fft and data "
                "format."
            )
        time = None if frames is None else self.framing.n_samples(frames)
        return (batch, time, channels) if self.output_data_format == "channels_last" else (batch, channels, time)

    def compute_output_dtype(self, input_dtype):
        super().compute_output_dtype(input_dtype)
        return self.compute_dtype

    def get_config(self):
        return {
            **super().get_config(),
            "n_fft": self.framing.n_fft,
            "win_length": self.framing.win_length,
            "hop_length": self.framing.hop_length,
            "forward_window_name": self.forward_window_name,
            "input_data_format": self.input_data_format,
            "output_data_format": self.output_data_format,
        }

"""Layer that computes the short-time Fourier transform."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.audio_layer import COMPLEX_OF_REAL, AudioLayer, resolve_data_format
from audiopipe.signal import ops, real_arithmetic, windows
from audiopipe.signal.framing import Framing


@keras.saving.register_keras_serializable(package="audiopipe")
class STFT(AudioLayer):
    """Short-time Fourier transform of a waveform.

    Frames of `win_length` samples are multiplied by the window, padded with zeros on the right to `n_fft` samples, and
    transformed. A clip shorter than one frame has no frames unless it is padded.

    Args:
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, in samples, at most `n_fft`. None means `n_fft`.
        hop_length: Samples between neighbouring frames. None means `win_length // 4`.
        window_name: `"hann_window"`, `"hamming_window"`, `"kaiser_window"`, `"kaiser_bessel_derived_window"`,
            `"vorbis_window"`, `"blackman_window"`, `"povey_window"`, `"rectangular_window"`, or None for
            `"hann_window"`.
        pad_begin: Whether to add `n_fft - hop_length` zeros before the waveform.
        pad_end: Whether to add zeros after the waveform, so that no sample is dropped.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: Data format of the output, with the same choices.
        window: The `win_length` values of a custom window, in place of `window_name`.
        periodic: Whether a Hann, Hamming or Blackman window is periodic or symmetric. None means periodic if
            `win_length` is even and symmetric if it is odd. All other windows are symmetric.
        remove_dc_offset: Whether to subtract the mean of each frame before the window, as Kaldi does.
        preemphasis: Coefficient `c` of a pre-emphasis within each frame, in 0 .. 1 without 1: sample `x[i]` becomes
            `x[i] - c * x[i - 1]`, and the first one becomes `x[0] - c * x[0]`, as in
            [Kaldi](https://github.com/kaldi-asr/kaldi/blob/master/src/feat/feature-window.cc) and HTK. It comes after
            the removal of the mean. For a pre-emphasis of the whole waveform, use `PreEmphasis`.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`. float32, full scale 1.0.

    Output shape:
        `(batch, frames, n_fft // 2 + 1, channels)`, or `(batch, channels, frames, n_fft // 2 + 1)`. complex64
        (complex128 under a float64 policy).

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 3.

    Example:
        >>> waveform = np.zeros((1, 16000, 1), "float32")
        >>> STFT(n_fft=512, hop_length=160)(waveform).shape
        TensorShape([1, 97, 257, 1])
    """

    takes_waveform = True

    def __init__(
        self,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int | None = None,
        window_name: str | None = None,
        pad_begin: bool = False,
        pad_end: bool = False,
        input_data_format: str = "default",
        output_data_format: str = "default",
        window: Sequence[float] | None = None,
        periodic: bool | None = None,
        remove_dc_offset: bool = False,
        preemphasis: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.framing = Framing.resolve(
            n_fft=n_fft, win_length=win_length, hop_length=hop_length, pad_begin=pad_begin, pad_end=pad_end
        )
        self.extends_clip = not self.framing.is_plain
        self.frame_local = not self.extends_clip
        if window is not None and window_name is not None:
            raise checks.fail("window_name", "None if window is given", window_name)
        if window is not None and periodic is not None:
            raise checks.fail("periodic", "None if window is given", periodic)
        win_length = self.framing.win_length
        self.own_window = None if window is None else windows.custom_window("window", window, win_length)
        self.window_name = None if window is not None else windows.canonical_window_name(window_name)
        self.periodic = None if periodic is None else checks.boolean("periodic", periodic)
        values = windows.window(window_name, win_length, periodic) if window is None else np.array(self.own_window)
        self.window = values.astype(self.compute_dtype)
        self.remove_dc_offset = checks.boolean("remove_dc_offset", remove_dc_offset)
        self.preemphasis = checks.real("preemphasis", preemphasis, minimum=0, below=1)
        self.input_data_format = resolve_data_format("input_data_format", input_data_format)
        self.output_data_format = resolve_data_format("output_data_format", output_data_format)

    def call(self, waveform):
        """Transforms a batch of waveforms."""
        framing = self.framing
        frames = self._windowed_frames(waveform)
        if framing.win_length < framing.n_fft:  # rfft pads too, but not if there are no frames
            frames = tf.pad(frames, [[0, 0], [0, 0], [0, 0], [0, framing.n_fft - framing.win_length]])
        return self._in_output_format(ops.rfft(frames, framing.n_fft))

    def call_real(self, waveform):
        parts = real_arithmetic.rfft(self._windowed_frames(waveform), self.framing.n_fft)
        return parts.map(self._in_output_format)

    def _windowed_frames(self, waveform: tf.Tensor) -> tf.Tensor:
        """Returns windowed frames of shape `(batch, channels, frames, win_length)`."""
        self.check_input(waveform)
        framing = self.framing
        if self.input_data_format == "channels_last":
            waveform = tf.transpose(waveform, [0, 2, 1])
        if framing.begin_padding:
            waveform = tf.pad(waveform, [[0, 0], [0, 0], [framing.begin_padding, 0]])
        frames = ops.frame(waveform, framing.win_length, framing.hop_length, framing.pad_end)
        if self.remove_dc_offset:
            frames = _without_mean(frames)
        if self.preemphasis:
            frames = _preemphasized(frames, self.preemphasis)
        return frames * self.window

    def without_extension(self) -> "STFT":
        """Returns the layer that transforms a waveform which holds the zeros of `pad_begin` and `pad_end`."""
        return STFT.from_config({**self.get_config(), "pad_begin": False, "pad_end": False})

    def _in_output_format(self, spectrogram: tf.Tensor) -> tf.Tensor:
        return tf.transpose(spectrogram, [0, 2, 3, 1]) if self.output_data_format == "channels_last" else spectrogram

    def compute_output_shape(self, input_shape):
        self.check_rank(input_shape, 3, self._input_layout())
        batch, *rest = input_shape
        time, channels = rest if self.input_data_format == "channels_last" else reversed(rest)
        frames = None if time is None else self.framing.n_frames(time)
        if self.output_data_format == "channels_last":
            return batch, frames, self.framing.n_freq, channels
        return batch, channels, frames, self.framing.n_freq

    def compute_output_dtype(self, input_dtype):
        self.check_floating(input_dtype)
        return COMPLEX_OF_REAL[self.compute_dtype]

    def get_config(self):
        return {
            **super().get_config(),
            "n_fft": self.framing.n_fft,
            "win_length": self.framing.win_length,
            "hop_length": self.framing.hop_length,
            "window_name": self.window_name,
            "pad_begin": self.framing.pad_begin,
            "pad_end": self.framing.pad_end,
            "input_data_format": self.input_data_format,
            "output_data_format": self.output_data_format,
            "window": None if self.own_window is None else list(self.own_window),
            **self.changed_arguments(periodic=None, remove_dc_offset=False, preemphasis=0.0),
        }

    def _input_layout(self) -> str:
        return "(batch, time, channels)" if self.input_data_format == "channels_last" else "(batch, channels, time)"


def _without_mean(frames: tf.Tensor) -> tf.Tensor:
    """Subtracts the mean of each frame, `[..., win_length]`."""
    win_length = frames.shape[-1]
    averaging = tf.constant(np.full([win_length, 1], 1 / win_length), frames.dtype)
    # The mean of a large offset is rounded. The second pass removes what remains of the offset.
    for _ in range(2):
        frames = frames - ops.apply_filterbank(frames, averaging)
    return frames


def _preemphasized(frames: tf.Tensor, coefficient: float) -> tf.Tensor:
    """Subtracts from each sample of a frame the previous one times the coefficient, and from the first one itself."""
    previous = tf.concat([frames[..., :1], frames[..., :-1]], axis=-1)
    return ops.emphasize(frames, previous, coefficient)

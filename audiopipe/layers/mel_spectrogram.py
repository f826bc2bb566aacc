"""Layer that computes the mel spectrogram of Keras."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.apply_filterbank import ApplyFilterbank
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.layers.composed_layer import ComposedLayer
from audiopipe.layers.magnitude import Magnitude
from audiopipe.layers.magnitude_to_decibel import MagnitudeToDecibel
from audiopipe.layers.power import Power
from audiopipe.layers.reflection_padding import ReflectionPadding
from audiopipe.layers.stft import STFT
from audiopipe.signal import filterbanks, windows
from audiopipe.signal.framing import CentredFraming


@keras.saving.register_keras_serializable(package="audiopipe")
class MelSpectrogram(AudioLayer):
    """Mel spectrogram with the arguments and the values of `keras.layers.MelSpectrogram`.

    Frames are centred on the samples 0, `sequence_stride`, `2 * sequence_stride` and so on. A clip is padded by
    reflection on both sides. Unlike the layer of Keras, this layer limits the dynamic range of each clip separately,
    accepts clips of every length, and computes in float64 under a float64 policy.
    `audiopipe.composed.get_keras_melspectrogram_layer` returns a layer that computes this feature for clips with
    channels.

    Args:
        fft_length: Length of the Fourier transform, in samples.
        sequence_stride: Samples between neighbouring frames.
        sequence_length: Length of the window, in samples, at most `fft_length`. None means `fft_length`.
        window: `"hann"`, `"hamming"`, the `sequence_length` values of a window, or None for no window. Without a
            window, a frame has `fft_length` samples and `sequence_length` has no effect, as in Keras.
        sampling_rate: Sample rate of the waveform, in hertz.
        num_mel_bins: Number of mel bands.
        min_freq: Lowest frequency of the filterbank, in hertz.
        max_freq: Highest frequency of the filterbank, in hertz, at most half the sampling rate. None means
            `sampling_rate // 2`.
        power_to_db: Whether to convert the result to decibels: `10 * log10(max(x, min_power))` relative to
            `max(abs(ref_power), min_power)`.
        top_db: Maximum difference between the largest and the smallest value of a clip, in decibels.
        mag_exp: Exponent of the magnitude, greater than 0: 1 for magnitudes, 2 for powers.
        min_power: Minimum value. Smaller values are raised to it before the logarithm.
        ref_power: Value that becomes 0 dB.

    Input shape:
        `(samples,)` or `(batch, samples)`. float32, full scale 1.0.

    Output shape:
        `(num_mel_bins, frames)` or `(batch, num_mel_bins, frames)`. The number of frames is
        `1 + samples // sequence_stride` if `fft_length` is even, and `1 + (samples - 1) // sequence_stride` if it is
        odd. A clip without samples has no frames.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 1 or 2 or not floating-point.

    Example:
        >>> layer = MelSpectrogram(fft_length=512, sequence_stride=160, num_mel_bins=40)
        >>> layer(np.zeros((2, 16000), "float32")).shape
        TensorShape([2, 40, 101])
    """

    takes_waveform = True

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.window = windows.canonical_keras_window("window", window)
        self.framing = CentredFraming.resolve(
            fft_length=fft_length, sequence_stride=sequence_stride, sequence_length=sequence_length, window=self.window
        )
        self.sampling_rate = checks.integer("sampling_rate", sampling_rate, minimum=1)
        self.num_mel_bins = checks.integer("num_mel_bins", num_mel_bins, minimum=1)
        max_freq = self.sampling_rate // 2 if max_freq is None else max_freq
        self.min_freq, self.max_freq = checks.band("min_freq", min_freq, "max_freq", max_freq, self.sampling_rate)
        self.power_to_db = checks.boolean("power_to_db", power_to_db)
        self.top_db = checks.real("top_db", top_db, above=0)
        self.mag_exp = checks.real("mag_exp", mag_exp, above=0)
        self.min_power = checks.real("min_power", min_power, minimum=checks.SMALLEST_FLOAT32)
        self.ref_power = checks.real("ref_power", ref_power)
        stages = self.stages("channels_first", "channels_first", self.name)
        clips = keras.Input((1, None), dtype=self.compute_dtype)
        self._composed = ComposedLayer([clips, *stages], name=self.name, output_dtype=self.compute_dtype)

    @staticmethod
    def linear_to_mel_weight_matrix(
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> tf.Tensor:
        """Returns the matrix that sums frequency bins into mel bands.

        The matrix is computed in float64 and rounded once.

        Args:
            num_mel_bins: Number of mel bands.
            num_spectrogram_bins: Number of frequency bins, evenly spaced from 0 to half the sampling rate.
            sampling_rate: Sample rate, in hertz.
            lower_edge_hertz: Lower edge of the first band, in hertz.
            upper_edge_hertz: Upper edge of the last band, in hertz.
            dtype: Floating-point dtype of the matrix.

        Returns:
            Tensor of shape `[num_spectrogram_bins, num_mel_bins]` with values in 0 .. 1.

        Raises:
            ArgumentError: If a value is out of range.
        """
        matrix = filterbanks.linear_to_mel(
            sampling_rate, num_spectrogram_bins, num_mel_bins, lower_edge_hertz, upper_edge_hertz
        )
        return tf.cast(tf.constant(matrix), dtype)

    def stages(self, input_data_format: str, output_data_format: str, name: str) -> list[keras.layers.Layer]:
        """Returns the layers that compute this feature for clips with channels.

        Args:
            input_data_format: Data format of the waveform, see `STFT`.
            output_data_format: Data format of the result.
            name: Prefix of the names of the layers.

        Returns:
            List of new layers, first to last, for `audiopipe.layers.ComposedLayer`.
        """
        framing, dtype = self.framing, self.compute_dtype
        before, after = framing.padding
        if isinstance(self.window, str):
            window: dict[str, Any] = {"window_name": windows.KERAS_WINDOW_NAMES[self.window]}
        else:
            window = {"window": self.window or (1.0,) * framing.sequence_length}
        filterbank = {
            "sampling_rate": self.sampling_rate,
            "num_spectrogram_bins": framing.fft_length // 2 + 1,
            "num_mel_bins": self.num_mel_bins,
            "lower_edge_hertz": self.min_freq,
            "upper_edge_hertz": self.max_freq,
        }
        layers = [
            ReflectionPadding(before, after, input_data_format, name=f"{name}_padding", dtype=dtype),
            STFT(
                n_fft=framing.fft_length,
                win_length=framing.sequence_length,
                hop_length=framing.sequence_stride,
                **window,
                input_data_format=input_data_format,
                output_data_format=output_data_format,
                name=f"{name}_stft",
                dtype=dtype,
            ),
            Magnitude(name=f"{name}_magnitude", dtype=dtype),
            Power(self.mag_exp, name=f"{name}_power", dtype=dtype),
            ApplyFilterbank("linear_to_mel", filterbank, output_data_format, name=f"{name}_filterbank", dtype=dtype),
        ]
        if self.power_to_db:
            reference = max(abs(self.ref_power), self.min_power)
            decibel = MagnitudeToDecibel(reference, self.min_power, self.top_db, name=f"{name}_decibel", dtype=dtype)
            layers.append(decibel)
        return layers

    def call(self, waveform):
        """Computes the mel spectrogram of a clip or of a batch of clips."""
        self.check_input(waveform)
        clips = waveform if waveform.shape.rank == 2 else waveform[None]
        bands = tf.transpose(self._composed(clips[:, None, :])[:, 0], [0, 2, 1])
        return bands if waveform.shape.rank == 2 else bands[0]

    def compute_output_shape(self, input_shape):
        if len(input_shape) != 1:
            self.check_rank(input_shape, 2, "(batch, samples), or of rank 1, (samples,)")
        *batch, samples = input_shape
        return *batch, self.num_mel_bins, None if samples is None else self.framing.n_frames(samples)

    def get_config(self):
        return {
            **super().get_config(),
            "fft_length": self.framing.fft_length,
            "sequence_stride": self.framing.sequence_stride,
            "sequence_length": self.framing.sequence_length,
            "window": list(self.window) if isinstance(self.window, tuple) else self.window,
            "sampling_rate": self.sampling_rate,
            "num_mel_bins": self.num_mel_bins,
            "min_freq": self.min_freq,
            "max_freq": self.max_freq,
            "power_to_db": self.power_to_db,
            "top_db": self.top_db,
            "mag_exp": self.mag_exp,
            "min_power": self.min_power,
            "ref_power": self.ref_power,
        }

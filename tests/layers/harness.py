"""Layers that must pass every test in `test_harness.py`. Add a case to the list for every new layer."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from audiopipe import composed, configs, layers


@dataclass(frozen=True)
class Case:
    """Layer and a batch of its input.

    Args:
        name: Name of the case in the output of pytest.
        make: Function that makes the layer under the current policy.
        values: Function that makes a batch of input in single precision.
        time_axis: Axis of the input whose length is that of the clip. This length and the batch size may be unknown.
        complex_output: Whether the result is complex. A complex result is never cast.
        integer_output: Whether the result is integer. An integer result has no gradient.
        rounds: Whether the result depends on the precision. If False, the layer only moves values.
        last_is_cast: Whether the policy determines the dtype of the result, as for composed layers.
        fixed_time: Whether the result has the same, known length for every clip.
    """

    name: str
    make: Callable[[], keras.layers.Layer]
    values: Callable[[], np.ndarray]
    time_axis: int = 1
    complex_output: bool = False
    integer_output: bool = False
    rounds: bool = True
    last_is_cast: bool = False
    fixed_time: bool = False

    def output_dtype(self, double: bool) -> str:
        """Returns the dtype of the result before any cast. `double` is True under a float64 policy."""
        if self.integer_output:
            return "int32"
        return ("complex128" if double else "complex64") if self.complex_output else "float64" if double else "float32"

    def shape(self, known_batch: bool, known_time: bool) -> tuple[int | None, ...]:
        """Returns the shape of the input, with None for unknown sizes."""
        known = {0: known_batch, self.time_axis: known_time}
        return tuple(size if known.get(axis, True) else None for axis, size in enumerate(self.values().shape))

    def inputs(self) -> keras.KerasTensor:
        """Returns a symbolic input for batches of any size and clips of any length."""
        return keras.Input(batch_shape=self.shape(False, False), dtype=self.values().dtype.name)

    def model(self) -> keras.Model:
        """Returns a model that contains only the layer."""
        inputs = self.inputs()
        return keras.Model(inputs, self.make()(inputs))

    def __str__(self) -> str:
        return self.name


def waveforms(*shape):
    """Returns a function that makes noise, whose values half precision cannot represent exactly."""
    return lambda: (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def complex_spectrograms(*shape):
    return lambda: waveforms(*shape)() + 1j * np.flip(waveforms(*shape)())


def magnitudes(*shape):
    return lambda: np.abs(waveforms(*shape)())


def codes(number, *shape):
    """Returns a function that makes mu-law codes as floating-point numbers, as a Keras model passes them."""
    return lambda: np.random.default_rng(0).integers(1, number - 1, shape).astype(np.float32)


def composed_case(name, function, values, time_axis=1, fixed_time=False, **arguments):
    return Case(name, lambda: function(**arguments), values, time_axis, last_is_cast=True, fixed_time=fixed_time)


def reconstructing_pair():
    return composed.get_perfectly_reconstructing_stft_istft(n_fft=65, win_length=50, hop_length=15)


LAST, FIRST = "channels_last", "channels_first"
MEL = {"sample_rate": 16000, "n_freq": 129, "n_mels": 21}
LOG = {"sample_rate": 16000, "n_freq": 129, "n_bins": 19, "f_min": 440.0, "spread": 0.5}
KERAS_MEL = {"fft_length": 256, "sequence_stride": 64, "num_mel_bins": 21, "top_db": 30.0}
DECIBEL = {"return_decibel": True, "db_dynamic_range": 30.0}

CASES = [
    Case("stft", lambda: layers.STFT(256, 200, 64), waveforms(3, 1000, 2), complex_output=True),
    Case(
        "stft, padded, channels first",
        lambda: layers.STFT(
            255,
            hop_length=100,
            window_name="hamming_window",
            pad_begin=True,
            pad_end=True,
            input_data_format=FIRST,
            output_data_format=FIRST,
        ),
        waveforms(2, 3, 777),
        time_axis=2,
        complex_output=True,
    ),
    Case(
        "stft of frames without offset and with pre-emphasis",
        lambda: layers.STFT(256, 199, 64, "blackman_window", periodic=True, remove_dc_offset=True, preemphasis=0.97),
        waveforms(3, 1000, 2),
        complex_output=True,
    ),
    Case("magnitude", layers.Magnitude, complex_spectrograms(3, 4, 7, 2)),
    Case("magnitude with an offset", lambda: layers.Magnitude(1e-2), complex_spectrograms(3, 4, 7, 2)),
    Case("power spectrum", layers.PowerSpectrum, complex_spectrograms(3, 4, 7, 2)),
    Case("decibel", lambda: layers.MagnitudeToDecibel(0.5, 1e-4, 25.0), magnitudes(3, 4, 7, 2)),
    Case("logarithm with a floor", lambda: layers.Logarithm("10", 10.0, floor=1e-4), magnitudes(3, 4, 7, 2)),
    Case("logarithm of one plus a value", lambda: layers.Logarithm(offset=1.0), magnitudes(3, 4, 16, 2)),
    Case("logarithm with an offset", lambda: layers.Logarithm(factor=30.0, offset=0.5), magnitudes(3, 4, 7, 2)),
    Case("normalization of a clip", layers.ClipNormalization, waveforms(3, 9, 7, 2)),
    Case(
        "normalization of a clip with one degree of freedom less, channels first",
        lambda: layers.ClipNormalization(1, 0.01, 0.02, FIRST),
        waveforms(2, 3, 4, 7),
        time_axis=2,
    ),
    Case("standardization", lambda: layers.Standardize(-4.3, 9.1), waveforms(3, 4, 7, 2)),
    Case(
        "standardization of every bin, channels first",
        lambda: layers.Standardize(np.linspace(-1, 2, 7), np.linspace(0.3, 3, 7), FIRST),
        waveforms(2, 3, 4, 7),
        time_axis=2,
    ),
    Case(
        "normalization by statistics",
        lambda: layers.StatisticsNormalization([[-0.5], *[[0.25]] * 6], [[0.3]] * 7),
        waveforms(3, 4, 7, 2),
    ),
    Case(
        "normalization of two quantities by statistics, channels first",
        lambda: layers.StatisticsNormalization([[-0.1, 0.2]], [[0.3, 3.0]], 2, FIRST),
        waveforms(2, 4, 4, 7),
        time_axis=2,
    ),
    Case("cut frames", lambda: layers.CutFrames(2), waveforms(3, 9, 7, 2), rounds=False),
    Case(
        "fixed number of frames, channels first",
        lambda: layers.PadFrames(n_frames=3, value=0.5, data_format=FIRST),
        waveforms(2, 3, 4, 7),
        time_axis=2,
        rounds=False,
        fixed_time=True,
    ),
    Case("appended frames", lambda: layers.PadFrames(count=2, value=0.5), waveforms(3, 9, 7, 2), rounds=False),
    Case("stacked frames", lambda: layers.StackFrames(4, 0.5), waveforms(3, 9, 7, 2), rounds=False),
    Case(
        "stacked frames, channels first",
        lambda: layers.StackFrames(2, data_format=FIRST),
        waveforms(2, 3, 4, 7),
        time_axis=2,
        rounds=False,
    ),
    Case("mel filterbank", lambda: layers.ApplyFilterbank("mel", MEL, LAST), magnitudes(3, 4, 129, 2)),
    Case(
        "log filterbank, channels first",
        lambda: layers.ApplyFilterbank("log", LOG, FIRST),
        magnitudes(3, 2, 4, 129),
        time_axis=2,
    ),
    composed_case("stft magnitude", composed.get_stft_magnitude_layer, waveforms(3, 1000, 2), n_fft=256),
    composed_case(
        "mel spectrogram in decibels",
        composed.get_melspectrogram_layer,
        waveforms(3, 1000, 1),
        n_fft=256,
        win_length=200,
        sample_rate=16000,
        n_mels=21,
        mel_norm=2.0,
        **DECIBEL,
    ),
    composed_case(
        "log-frequency spectrogram, channels first",
        composed.get_log_frequency_spectrogram_layer,
        waveforms(2, 2, 1000),
        time_axis=2,
        n_fft=256,
        pad_end=True,
        sample_rate=16000,
        log_n_bins=19,
        log_f_min=440.0,
        log_spread=0.5,
        input_data_format=FIRST,
        output_data_format=FIRST,
        **DECIBEL,
    ),
    Case("delta", layers.Delta, waveforms(3, 7, 5, 2)),
    Case(
        "delta longer than the clip, channels first",
        lambda: layers.Delta(9, "reflect", FIRST),
        waveforms(2, 3, 3, 5),
        time_axis=2,
    ),
    Case("delta inside the clip", lambda: layers.Delta(5, "interp"), waveforms(3, 7, 5, 2)),
    Case("deltas", layers.Deltas, waveforms(3, 7, 5, 2)),
    Case(
        "deltas inside the clip, channels first",
        lambda: layers.Deltas(2, 5, "interp", FIRST),
        waveforms(2, 3, 7, 5),
        time_axis=2,
    ),
    Case("frequency map", layers.ConcatenateFrequencyMap, waveforms(2, 3, 7, 2)),
    Case(
        "frequency map, channels first",
        lambda: layers.ConcatenateFrequencyMap(FIRST),
        waveforms(2, 2, 3, 6),
        time_axis=2,
    ),
    Case("frame", lambda: layers.Frame(50, 20), waveforms(3, 333, 2), rounds=False),
    Case(
        "frame, padded, channels first",
        lambda: layers.Frame(50, 70, pad_end=True, pad_value=0.5, data_format=FIRST),
        waveforms(2, 3, 333),
        time_axis=2,
        rounds=False,
    ),
    Case("energy", lambda: layers.Energy(8000, frame_length=51, hop_length=20), waveforms(3, 333, 2)),
    Case(
        "energy, padded, channels first",
        lambda: layers.Energy(8000, 0.3, 64, 70, pad_end=True, pad_value=0.5, data_format=FIRST),
        waveforms(2, 3, 333),
        time_axis=2,
    ),
    Case(
        "mu-law encoding",
        lambda: layers.MuLawEncoding(256),
        waveforms(3, 333, 2),
        integer_output=True,
        rounds=False,
    ),
    Case("mu-law decoding", lambda: layers.MuLawDecoding(256), codes(256, 3, 333, 2)),
    Case("mfcc", lambda: layers.LogmelToMFCC(13), waveforms(3, 4, 41, 2)),
    Case(
        "mfcc, channels first",
        lambda: layers.LogmelToMFCC(21, FIRST),
        waveforms(2, 2, 4, 21),
        time_axis=2,
    ),
    Case("mfcc, liftered", lambda: layers.LogmelToMFCC(13, norm="ortho", lifter=22.0), waveforms(3, 4, 41, 2)),
    Case("spec augment in inference", lambda: layers.SpecAugment(3, 2), waveforms(3, 4, 7, 2), rounds=False),
    Case("feature stamp", lambda: configs.StftMagnitude().stamp_layer(), waveforms(3, 4, 7, 2), rounds=False),
    Case("channel swap in inference", layers.ChannelSwap, waveforms(3, 333, 2), rounds=False),
    Case("power", lambda: layers.Power(1.5), magnitudes(3, 4, 7, 2)),
    Case("reflection padding", lambda: layers.ReflectionPadding(9, 8), waveforms(3, 333, 2), rounds=False),
    Case(
        "reflection padding longer than the clip, channels first",
        lambda: layers.ReflectionPadding(30, 20, FIRST),
        waveforms(2, 3, 7),
        time_axis=2,
        rounds=False,
    ),
    Case("gain", lambda: layers.Gain(0.3), waveforms(3, 333, 2)),
    Case("pre-emphasis", layers.PreEmphasis, waveforms(3, 333, 2)),
    Case("pre-emphasis, channels first", lambda: layers.PreEmphasis(0.5, FIRST), waveforms(2, 3, 7), time_axis=2),
    Case("edge padding", lambda: layers.EdgePadding(64, 50, 16), waveforms(3, 333, 2), rounds=False),
    Case(
        "edge padding longer than the clip, channels first",
        lambda: layers.EdgePadding(64, 50, 20, edges="midpoint", data_format=FIRST),
        waveforms(2, 3, 11),
        time_axis=2,
        rounds=False,
    ),
    Case("keras's mel spectrogram", lambda: layers.MelSpectrogram(**KERAS_MEL), waveforms(3, 1000)),
    Case(
        "keras's mel spectrogram, magnitudes, custom window",
        lambda: layers.MelSpectrogram(
            **KERAS_MEL, window=[0.5, 1.0] * 50, sequence_length=100, mag_exp=1.0, power_to_db=False
        ),
        waveforms(2, 777),
    ),
    composed_case(
        "keras's mel spectrogram with channels",
        composed.get_keras_melspectrogram_layer,
        waveforms(3, 1000, 2),
        **KERAS_MEL,
        mag_exp=1.5,
    ),
    composed_case(
        "keras's mel spectrogram, channels first",
        composed.get_keras_melspectrogram_layer,
        waveforms(2, 3, 777),
        time_axis=2,
        **KERAS_MEL,
        window=[0.5, 1.0] * 50,
        sequence_length=100,
        power_to_db=False,
        input_data_format=FIRST,
        output_data_format=FIRST,
    ),
    Case("chunk", lambda: layers.Chunk(300, 20, 16), waveforms(3, 333, 2), rounds=False),
    Case(
        "chunk longer than the clip, channels first",
        lambda: layers.Chunk(500, data_format=FIRST),
        waveforms(2, 3, 333),
        time_axis=2,
        rounds=False,
        fixed_time=True,
    ),
    Case(
        "chunk of repetitions",
        lambda: layers.Chunk(1100, fill="repeat", longer="error"),
        waveforms(3, 333, 2),
        rounds=False,
        fixed_time=True,
    ),
    Case("whisper's scale", lambda: layers.WhisperScale(9), magnitudes(3, 4, 7, 2), fixed_time=True),
    Case(
        "whisper's scale, channels first",
        lambda: layers.WhisperScale(data_format=FIRST),
        magnitudes(2, 3, 4, 7),
        time_axis=2,
    ),
    composed_case(
        "whisper's log-mel spectrogram",
        composed.get_whisper_log_mel_layer,
        waveforms(3, 1000, 2),
        fixed_time=True,
        chunk_seconds=0.1,
    ),
    composed_case(
        "whisper's log-mel spectrogram of whole clips, channels first",
        composed.get_whisper_log_mel_layer,
        waveforms(2, 3, 777),
        time_axis=2,
        n_mels=40,
        chunk_seconds=None,
        input_data_format=FIRST,
        output_data_format=FIRST,
    ),
    Case("phase", layers.Phase, complex_spectrograms(3, 4, 7, 2)),
    Case("real and imaginary part", layers.RealImaginary, complex_spectrograms(3, 4, 7, 2), rounds=False),
    Case(
        "magnitude and phase, channels first",
        lambda: layers.MagnitudePhase(True, 1e-3, 0.5, 25.0, FIRST),
        complex_spectrograms(2, 3, 4, 7),
        time_axis=2,
    ),
    Case("zeros at the beginning", lambda: layers.PadBegin(9), waveforms(3, 33, 2), rounds=False),
    Case("inverse stft", lambda: layers.InverseSTFT(64, 50, 15), complex_spectrograms(3, 9, 33, 2)),
    Case(
        "inverse stft, hop longer than the window, channels first",
        lambda: layers.InverseSTFT(
            63, 30, 40, forward_window_name="hamming_window", input_data_format=FIRST, output_data_format=FIRST
        ),
        complex_spectrograms(2, 3, 5, 32),
        time_axis=2,
    ),
    composed_case("stft as channels", composed.get_stft_layer, waveforms(3, 1000, 2), n_fft=256),
    composed_case(
        "stft magnitude and phase, channels first",
        functools.partial(composed.get_stft_mag_phase, None),
        waveforms(2, 3, 777),
        time_axis=2,
        n_fft=255,
        win_length=200,
        pad_end=True,
        input_data_format=FIRST,
        output_data_format=FIRST,
        **DECIBEL,
    ),
    Case("reconstructing stft", lambda: reconstructing_pair()[0], waveforms(3, 333, 2), complex_output=True),
    Case(
        "reconstructing istft", lambda: reconstructing_pair()[1], complex_spectrograms(3, 9, 33, 2), last_is_cast=True
    ),
    composed_case(
        "log-mel spectrogram of Kaldi, normalized and stacked",
        composed.get_log_mel_layer,
        waveforms(3, 1000, 2),
        n_fft=256,
        win_length=200,
        hop_length=80,
        edges="snip",
        window="povey",
        n_mels=21,
        remove_dc_offset=True,
        preemphasis=0.97,
        mel_triangles="mel",
        normalization="clip",
        ddof=1,
        stack_frames=2,
    ),
    composed_case(
        "log-mel spectrogram of repeated clips, channels first",
        composed.get_log_mel_layer,
        waveforms(2, 3, 333),
        time_axis=2,
        fixed_time=True,
        clip_seconds=0.05,
        short_clips="repeat",
        n_fft=256,
        n_mels=21,
        edges="same",
        power=1.0,
        magnitude_offset=1e-9,
        log="log10",
        center_value=-2.0,
        fixed_frames=20,
        input_data_format=FIRST,
        output_data_format=FIRST,
    ),
    composed_case(
        "mfcc of decibels with derivatives",
        composed.get_mfcc_layer,
        waveforms(3, 1000, 2),
        n_fft=256,
        n_mels=21,
        n_mfcc=13,
        log="db",
        top_db=40.0,
        lifter=22.0,
        deltas=2,
        preemphasis=0.97,
        preemphasis_of="waveform",
        masked_frames=1,
    ),
]

"""The layers that have to pass every test of `test_harness.py`. A new layer is one more case in the list."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from audiopipe import composed, layers


@dataclass(frozen=True)
class Case:
    """A layer and what goes into it.

    Args:
        name: What the case is called in the output of pytest.
        make: Makes the layer, under the policy of the moment.
        values: Makes a batch of input, in single precision.
        time_axis: The axis of the input that is as long as the clip; its length and the batch's may be unknown.
        complex_output: Whether the result is complex. It is then never cast.
        last_is_cast: Whether the policy decides the dtype of the result, as for composed layers.
    """

    name: str
    make: Callable[[], keras.layers.Layer]
    values: Callable[[], np.ndarray]
    time_axis: int = 1
    complex_output: bool = False
    last_is_cast: bool = False

    def shape(self, known_batch: bool, known_time: bool) -> tuple[int | None, ...]:
        """Shape of the input with None for what is not known."""
        known = {0: known_batch, self.time_axis: known_time}
        return tuple(size if known.get(axis, True) else None for axis, size in enumerate(self.values().shape))

    def inputs(self) -> keras.KerasTensor:
        """Symbolic input for batches of any size and clips of any length."""
        return keras.Input(batch_shape=self.shape(False, False), dtype=self.values().dtype.name)

    def model(self) -> keras.Model:
        """A model of the layer alone."""
        inputs = self.inputs()
        return keras.Model(inputs, self.make()(inputs))

    def __str__(self) -> str:
        return self.name


def waveforms(*shape):
    """Noise whose values have no exact form in half precision."""
    return lambda: (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def complex_spectrograms(*shape):
    return lambda: waveforms(*shape)() + 1j * np.flip(waveforms(*shape)())


def magnitudes(*shape):
    return lambda: np.abs(waveforms(*shape)())


def composed_case(name, function, values, time_axis=1, **arguments):
    return Case(name, lambda: function(**arguments), values, time_axis, last_is_cast=True)


LAST, FIRST = "channels_last", "channels_first"
MEL = {"sample_rate": 16000, "n_freq": 129, "n_mels": 21}
LOG = {"sample_rate": 16000, "n_freq": 129, "n_bins": 19, "f_min": 440.0, "spread": 0.5}
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
    Case("magnitude", layers.Magnitude, complex_spectrograms(3, 4, 7, 2)),
    Case("decibel", lambda: layers.MagnitudeToDecibel(0.5, 1e-4, 25.0), magnitudes(3, 4, 7, 2)),
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
]

"""Labels of values: which logarithm, of what, in which unit."""

import numpy as np
import pytest

from audiopipe import Statistics, configs, registry
from audiopipe.plotting import scales

FIELDS = {"sample_rate": 8000, "n_fft": 256, "hop_length": 100}


@pytest.mark.parametrize(
    ("config", "label"),
    [
        (configs.MelSpectrogram(return_decibel=True), "dB (10 log10 of the magnitude)"),
        (configs.LogFrequencySpectrogram(return_decibel=True), "dB (10 log10 of the magnitude)"),
        (configs.KerasMelSpectrogram(), "dB (10 log10 of the power)"),
        (configs.KerasMelSpectrogram(mag_exp=1.0), "dB (10 log10 of the magnitude)"),
        (configs.KerasMelSpectrogram(mag_exp=1.5), "dB (10 log10 of the magnitude^1.5)"),
        (registry.get("librosa-mel-128"), "dB (10 log10 of the power)"),
        (registry.get("whisper-80"), "(log10 of the power + 4) / 4"),
        (registry.get("kaldi-fbank-80"), "ln of the power"),
        (registry.get("vggish"), "ln of the magnitude"),
        (registry.get("speecht5"), "log10 of the magnitude"),
        (registry.get("musicnn-96"), "log10 of (10000 * power + 1)"),
        (registry.get("ast"), "(ln of the power + 4.268) / 9.138"),
        (registry.get("beats"), "(ln of the power - 15.42) / 13.11"),
        (registry.get("nemo-mel-80"), "log power (standard deviations)"),
        (configs.Mfcc(), "cepstrum"),
        (configs.Mfcc(normalization="clip"), "cepstrum (standard deviations)"),
        (
            configs.LogMel(normalization="clip", center_value=1.0, scale_value=2.0),
            "(log power (standard deviations) - 1) / 2",
        ),
        (configs.StftMagnitude(), "magnitude"),
        (configs.NormalizedWaveform(), "normalized waveform"),
    ],
)
def test_the_label_says_what_the_values_are(config, label):
    assert scales.value_label(config, config.quantities[0]) == label


def test_statistics_make_standard_deviations_of_any_quantity():
    config = configs.StftMagPhase(n_fft=6, return_decibel=True)
    config = config.normalized(Statistics(mean=np.zeros((4, 2)), std=np.ones((4, 2))))
    labels = [scales.value_label(config, quantity) for quantity in config.quantities]
    assert labels == ["decibel (standard deviations)", "phase (standard deviations)"]
    assert [scales.scale_of(config, quantity).colours for quantity in config.quantities] == ["RdBu_r", "RdBu_r"]


def test_powers_have_ten_decibels_per_decade_and_magnitudes_twenty():
    values = np.array([1e-3, 10], np.float32)
    np.testing.assert_allclose(scales.drawn(values, "power"), [-30, 10], rtol=1e-6)
    np.testing.assert_allclose(scales.drawn(values, "magnitude"), [-60, 20], rtol=1e-6)
    np.testing.assert_array_equal(scales.drawn(values, "log power"), values)


def test_decibels_beside_a_phase_span_80_decibels_too():
    config = configs.StftMagPhase(return_decibel=True, db_dynamic_range=200.0)
    assert scales.limits(np.array([-100.0, 0.0]), scales.scale_of(config, "decibel")) == (-80, 0)


@pytest.mark.parametrize(
    ("name", "low"), [("kaldi-fbank-80", -18.42), ("speecht5", -4), ("whisper-80", -2), ("librosa-mel-128", -80)]
)
def test_levels_of_any_unit_span_80_decibels(name, low):
    config = registry.get(name)
    values = np.array([-100.0, 0.0])
    assert scales.limits(values, scales.scale_of(config, config.quantities[0])) == pytest.approx((low, 0), abs=0.01)


@pytest.mark.parametrize("name", ["speech-mel-80", "whisper-80", "librosa-mel-128"])
def test_equal_levels_have_the_colour_of_the_lowest_level(name):
    config = registry.get(name)
    found = scales.limits(np.full(4, -50.0), scales.scale_of(config, config.quantities[0]))
    assert found == (-50, -49)

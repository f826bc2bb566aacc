"""Ticks and labels of the axis of the bins."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from audiopipe import configs, registry
from audiopipe.plotting import bin_axis


def test_linear_frequencies_have_equal_steps():
    places, labels = bin_axis.bin_ticks(configs.StftMagnitude(sample_rate=22050, n_fft=2048))
    assert labels == ["0", "2000", "4000", "6000", "8000", "10000"]
    np.testing.assert_allclose(places, np.arange(0, 12000, 2000) * 2048 / 22050)


def test_mel_bands_have_ticks_at_1_2_and_5_times_powers_of_ten():
    config = registry.get("speech-mel-80")
    places, labels = bin_axis.bin_ticks(config)
    assert labels == ["200", "500", "1000", "2000", "5000"]
    np.testing.assert_allclose(np.interp(places, np.arange(80), config.frequencies()), [200, 500, 1000, 2000, 5000])


def test_bins_in_octaves_have_ticks_at_the_octaves_of_a():
    config = registry.get("music-log-84")  # from C1, 12 bins in an octave
    places, labels = bin_axis.bin_ticks(config)
    assert labels == ["55", "110", "220", "440", "880", "1760", "3520"]
    np.testing.assert_allclose(places, 9 + 12 * np.arange(7), atol=1e-6)


def test_less_than_two_octaves_have_ticks_in_hertz():
    config = configs.LogFrequencySpectrogram(sample_rate=16000, n_fft=4096, log_n_bins=12, log_f_min=400.0)
    assert bin_axis.bin_ticks(config)[1] == ["400", "450", "500", "550", "600", "650", "700", "750"]


def test_a_narrow_range_has_equal_steps():
    config = configs.LogMel(n_mels=40, f_min=3000, f_max=4000, n_fft=1024)
    assert bin_axis.bin_ticks(config)[1] == ["3200", "3400", "3600", "3800"]


def test_a_low_panel_has_fewer_ticks():
    config = configs.StftMagnitude(sample_rate=16000, n_fft=512)
    assert bin_axis.bin_ticks(config, most=3)[1] == ["0", "5000"]
    assert bin_axis.bin_ticks(config, most=4)[1] == ["0", "2000", "4000", "6000", "8000"]


def test_the_ticks_that_fit_depend_on_the_size_of_the_axes():
    large, low = Figure(figsize=(10, 5)).subplots(), Figure(figsize=(3, 1)).subplots()
    assert (bin_axis.most_ticks(large, "vertical"), bin_axis.most_ticks(large, "horizontal")) == (8, 12)
    assert (bin_axis.most_ticks(low, "vertical"), bin_axis.most_ticks(low, "horizontal")) == (3, 3)


def test_coefficients_are_numbered_and_derivatives_marked():
    places, labels = bin_axis.bin_ticks(configs.Mfcc(n_mfcc=13, deltas=2))
    assert labels == ["0", "10", "Δ 0", "Δ 10", "ΔΔ 0", "ΔΔ 10"]
    assert places.tolist() == [0, 10, 13, 23, 26, 36]


def test_each_of_several_stacked_frames_has_its_ticks():
    config = configs.LogMel(n_mels=40, stack_frames=2)
    assert bin_axis.bin_ticks(config, most=4)[1] == ["1000", "5000"] * 2
    places, labels = bin_axis.bin_ticks(config)
    half = len(labels) // 2
    assert labels[:half] == labels[half:] == ["1000", "2000", "5000"]
    np.testing.assert_allclose(places[half:], places[:half] + 40)
    assert bin_axis.block_starts(config).tolist() == [0, 40]
    assert bin_axis.axis_label(config) == "frequency (Hz)\nof 2 stacked frames"


@pytest.mark.parametrize(
    ("frequencies", "expected"),
    [
        ([1949.4], [(0, "1949.4")]),
        ([0.0, 0.0, 0.0], [(0, "0")]),
        ([100.0, 300.0], [(0, "100"), (0.5, "200"), (1, "300")]),
        ([0.0, 100.0, 1000.0, 2000.0], [(2, "1000"), (3, "2000")]),
    ],
)
def test_few_bins_and_bins_without_frequencies_have_ticks(frequencies, expected, monkeypatch):
    monkeypatch.setattr(configs.StftMagnitude, "frequencies", lambda config: np.array(frequencies))
    places, labels = bin_axis.bin_ticks(configs.StftMagnitude(), most=3)
    assert list(zip(places.tolist(), labels, strict=True)) == expected


def test_no_frequency_is_beyond_the_bins():
    for config in (registry.get("vggish"), configs.StftMagnitude(sample_rate=16000, n_fft=511)):
        places, labels = bin_axis.bin_ticks(config)
        shown = np.interp(places, np.arange(config.n_bins), config.frequencies())
        inner = (places >= 0) & (places <= config.n_bins - 1)
        np.testing.assert_allclose(shown[inner], np.array(labels, float)[inner], rtol=1e-9)

"""Figures of filterbanks."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from audiopipe import configs, registry
from audiopipe.errors import ArgumentError
from audiopipe.plotting import plot_filterbank
from audiopipe.signal import filterbanks


@pytest.mark.parametrize(
    ("config", "expected", "frequencies"),
    [
        (
            configs.MelSpectrogram(sample_rate=16000, n_fft=511, n_mels=10),
            filterbanks.mel(16000, 256, 10, n_fft=511),
            filterbanks.fft_frequencies(16000, 511),
        ),
        (
            configs.KerasMelSpectrogram(fft_length=512, num_mel_bins=10),
            filterbanks.linear_to_mel(16000, 257, 10, 20, 8000),
            np.linspace(0, 8000, 257),
        ),
        (
            configs.LogFrequencySpectrogram(sample_rate=16000, log_n_bins=24, log_f_min=110.0),
            filterbanks.log(16000, 1025, 24, 12, 110.0),
            filterbanks.fft_frequencies(16000, 2048),
        ),
        (
            registry.get("whisper-80"),
            filterbanks.mel(16000, 201, 80, f_max=8000.0),
            filterbanks.fft_frequencies(16000, 400),
        ),
        (
            configs.Mfcc(n_mels=20, n_mfcc=5, mel_triangles="mel", f_min=20.0),
            filterbanks.mel(16000, 257, 20, 20.0, htk=True, norm=None, triangles="mel"),
            filterbanks.fft_frequencies(16000, 512),
        ),
    ],
    ids=["mel", "keras", "log", "whisper", "mfcc"],
)
def test_each_filter_is_a_line_over_frequency(config, expected, frequencies):
    axes = plot_filterbank(config, Figure().subplots(), title="filters")
    assert len(axes.lines) == expected.shape[1]
    for number, line in enumerate(axes.lines):
        weights = np.interp(frequencies, line.get_xdata(), line.get_ydata(), left=0, right=0)
        np.testing.assert_allclose(weights, expected[:, number], rtol=1e-5, atol=1e-9)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("frequency (Hz)", "weight", "filters")


def test_bins_in_octaves_are_drawn_over_octaves():
    axes = plot_filterbank(registry.get("music-log-84"), Figure().subplots())
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["55", "110", "220", "440", "880", "1760", "3520"]
    low, high = axes.get_xlim()
    assert low < 32.7
    assert high > 3951


def test_filters_that_reach_no_frequency_are_empty_lines():
    config = configs.LogMel(n_fft=64, n_mels=40)
    with pytest.warns(UserWarning, match="reach no frequency bin"):
        axes = plot_filterbank(config, Figure().subplots())
    assert len(axes.lines) == 40
    assert min(len(line.get_xdata()) for line in axes.lines) == 0


@pytest.mark.parametrize("config", [configs.StftMagnitude(), configs.NormalizedWaveform()])
def test_a_feature_without_a_filterbank_is_refused(config):
    with pytest.raises(ArgumentError, match=f"Received: {type(config).__name__}, which has none. Use a config such as"):
        plot_filterbank(config)

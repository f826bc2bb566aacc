"""Figures of several features over the same seconds."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from audiopipe import configs
from audiopipe.errors import ArgumentError
from audiopipe.plotting import plot_comparison

FIELDS = {"sample_rate": 8000, "n_fft": 16, "hop_length": 8}
DECIBELS = configs.StftMagnitude(**FIELDS, return_decibel=True)
LOUD = np.random.default_rng(0).uniform(-20, 0, (100, 9, 1)).astype(np.float32)
QUIET = LOUD[:50] - 20


def image_of(axes):
    [image] = axes.images
    return image


def test_features_of_one_unit_share_their_colours_and_their_seconds():
    axes = plot_comparison({"loud": (LOUD, DECIBELS), "quiet": (QUIET, DECIBELS)}, Figure().subplots(2), start=1.0)
    assert [place.get_title() for place in axes] == ["loud", "quiet"]
    low, high = QUIET.min(), LOUD.max()
    assert [image_of(place).get_clim() for place in axes] == [(low, high), (low, high)]
    assert [place.get_xlim() for place in axes] == [pytest.approx((1, 1 + 100.5 * 8 / 8000))] * 2
    assert image_of(axes[1]).get_extent()[1] == pytest.approx(1 + 50.5 * 8 / 8000)


def test_features_of_other_units_have_colours_of_their_own():
    mel = configs.LogMel(sample_rate=8000, n_fft=16, hop_length=8, n_mels=2)
    log = np.full((40, 2, 1), 3, np.float32)
    axes = plot_comparison({"a": (LOUD, DECIBELS), "b": (log, mel), "c": (QUIET, DECIBELS)}, Figure().subplots(3))
    clims = [image_of(place).get_clim() for place in axes]
    assert clims[0] == clims[2] == (QUIET.min(), LOUD.max())
    assert clims[1] == (3, 4)


def test_decibels_of_powers_and_of_magnitudes_do_not_share_colours():
    keras = configs.KerasMelSpectrogram(sample_rate=8000, fft_length=16, sequence_stride=8, num_mel_bins=2)
    axes = plot_comparison({"a": (LOUD, DECIBELS), "b": (QUIET[:, :2], keras)}, Figure().subplots(2))
    assert image_of(axes[0]).get_clim() == (LOUD.min(), LOUD.max())
    assert image_of(axes[1]).get_clim() == (QUIET[:, :2].min(), QUIET[:, :2].max())


def test_features_of_several_channels_have_a_column_each():
    from matplotlib import pyplot

    stereo = np.concatenate([LOUD, LOUD - 5], axis=-1)
    config = configs.StftMagnitude(**FIELDS, return_decibel=True, channels=2)
    axes = plot_comparison({"a": (stereo, config), "b": (stereo[:50], config)}, title="x$y$")
    try:
        cells = [(place.get_subplotspec().rowspan.start, place.get_subplotspec().colspan.start) for place in axes]
        assert cells == [(0, 0), (1, 0), (0, 1), (1, 1)]
        assert [place.get_title() for place in axes] == ["a", "", "b", ""]
        assert [place.get_xlabel() for place in axes] == ["", "time (s)", "", "time (s)"]
        np.testing.assert_array_equal(image_of(axes[3]).get_array(), stereo[:50, :, 1].T)
        assert axes[0].figure.get_suptitle() == "x$y$"
    finally:
        pyplot.close(axes[0].figure)


def test_a_line_and_a_picture_have_the_same_seconds():
    waveform = np.random.default_rng(1).normal(size=(1600, 1, 1))
    features = {"waveform": (waveform, configs.NormalizedWaveform()), "picture": (LOUD, DECIBELS)}
    axes = plot_comparison(features, Figure().subplots(2), title="both")
    assert axes[0].get_xlim() == axes[1].get_xlim() == pytest.approx((0, 100.5 * 8 / 8000))
    assert axes[0].get_title() == "both\nwaveform"


@pytest.mark.parametrize("features", [{}, [(LOUD, DECIBELS)]])
def test_no_features_are_refused(features):
    with pytest.raises(ArgumentError, match="features must be a dict of at least one name"):
        plot_comparison(features)

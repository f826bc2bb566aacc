"""Figures of statistics: the calls of matplotlib, and the image file."""

import matplotlib.axes
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from audiopipe import configs
from audiopipe.errors import ArgumentError
from audiopipe.plotting import images, plot_statistics
from audiopipe.signal.statistics import Statistics

STFT = configs.StftMagnitude(sample_rate=8000, n_fft=16, hop_length=8, return_decibel=True)


def made(bins, channels=1, seed=0, **facts):
    random = np.random.default_rng(seed)
    mean, std = random.normal(-30, 5, (bins, channels)), random.uniform(1, 4, (bins, channels))
    return Statistics(mean=mean, std=std, min=mean - 3 * std, max=mean + 4 * std, **facts)


@pytest.fixture
def drawn(monkeypatch):
    """Returns the lines and bands that the test draws: the axes, the label, and the values over the bins."""
    calls = []
    plot, fill = matplotlib.axes.Axes.plot, matplotlib.axes.Axes.fill_between

    def plotted(axes, bins, values, **settings):
        calls.append((axes, settings["label"], bins, values))
        return plot(axes, bins, values, **settings)

    def filled(axes, bins, low, high, **settings):
        calls.append((axes, settings["label"], bins, (low, high)))
        return fill(axes, bins, low, high, **settings)

    monkeypatch.setattr(matplotlib.axes.Axes, "plot", plotted)
    monkeypatch.setattr(matplotlib.axes.Axes, "fill_between", filled)
    return calls


def plotted(statistics, config, panels=1, **settings):
    """Returns the axes that statistics are drawn on, without pyplot."""
    axes = Figure().subplots(panels, 1, squeeze=False)[:, 0]
    assert list(plot_statistics(statistics, config, axes, **settings)) == list(axes)
    return axes


def test_mean_deviation_and_limits_are_drawn_over_the_bins(drawn):
    statistics = made(9)
    plotted(statistics, STFT, title="all clips")
    mean, std = statistics.mean[:, 0], statistics.std[:, 0]
    expected = [
        ("mean", mean),
        ("mean ± standard deviation", (mean - std, mean + std)),
        ("minimum and maximum", statistics.min[:, 0]),
        (None, statistics.max[:, 0]),
    ]
    assert len(drawn) == 4
    for (_, label, bins, values), (name, numbers) in zip(drawn, expected, strict=True):
        assert label == name
        np.testing.assert_array_equal(bins, np.arange(9))
        np.testing.assert_array_equal(values, numbers)
    axes = drawn[0][0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == (
        "frequency (Hz)",
        "dB (10 log10 of the magnitude)",
        "linear",
    )
    ticks = [float(tick.get_text()) for tick in axes.get_xticklabels()]
    np.testing.assert_array_equal(ticks, [0, 1000, 2000, 3000, 4000])
    np.testing.assert_array_equal(axes.get_xticks(), [0, 2, 4, 6, 8])
    assert axes.get_title() == "all clips"


def test_an_image_can_be_saved_without_a_screen(tmp_path):
    images.save_statistics(made(9), STFT, tmp_path / "image.png", "all clips")
    assert matplotlib.image.imread(tmp_path / "image.png").shape == (480, 1080, 4)


def test_a_title_is_shown_as_it_is(drawn):
    plotted(made(9), STFT, title="a$b$/caf\udce9")
    title = drawn[0][0].title
    assert (title.get_text(), title.get_parse_math()) == (r"a$b$/caf\udce9", False)


def test_several_statistics_are_drawn_over_each_other_with_their_names(drawn):
    first, second = made(9), Statistics(mean=np.zeros(9), std=np.ones(9))  # the limits of the second are not known
    plotted({"train": first, "test": second}, STFT)
    labels = [label for _, label, _, _ in drawn if label is not None]
    assert labels == [
        "train: mean",
        "train: mean ± standard deviation",
        "train: minimum and maximum",
        "test: mean",
        "test: mean ± standard deviation",
    ]
    assert len({axes for axes, *_ in drawn}) == 1


def test_each_channel_has_a_panel_with_its_quantity(drawn):
    config = configs.StftMagPhase(sample_rate=8000, n_fft=16, hop_length=8, channels=2, return_decibel=True)
    plotted(made(9, 4), config, panels=4)
    panels = list(dict.fromkeys(axes for axes, *_ in drawn))
    assert [axes.get_ylabel() for axes in panels] == [
        "channel 0\ndB (10 log10 of the magnitude)",
        "channel 1\ndB (10 log10 of the magnitude)",
        "channel 0\nphase (rad)",
        "channel 1\nphase (rad)",
    ]


def test_channels_that_are_pooled_have_a_panel_for_each_quantity(drawn):
    config = configs.StftMagPhase(sample_rate=8000, n_fft=16, hop_length=8, channels=None)
    plotted(made(9, 2), config, panels=2)
    assert [axes.get_ylabel() for axes in dict.fromkeys(axes for axes, *_ in drawn)] == ["magnitude", "phase (rad)"]


@pytest.mark.parametrize(("ratio", "scale"), [(1e-2, "linear"), (1e-4, "log")])
def test_magnitudes_over_many_decades_have_a_logarithmic_scale(drawn, ratio, scale):
    mean = np.geomspace(1, ratio, 9)
    config = configs.StftMagnitude(sample_rate=8000, n_fft=16, hop_length=8)
    plotted(Statistics(mean=mean, std=2 * mean), config)
    assert drawn[0][0].get_yscale() == scale


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("names", [["one"], ["one", "two", "three"]])
def test_the_legend_is_above_the_maximum(names, scale):
    mean = np.full((9, 1), 10.0) if scale == "linear" else np.geomspace(1, 1e4, 9)[:, None]
    statistics = Statistics(mean=mean, std=mean / 2, min=mean / 4, max=np.full((9, 1), mean.max() * 2))
    [axes] = plotted(dict.fromkeys(names, statistics), configs.StftMagnitude(sample_rate=8000, n_fft=16, hop_length=8))
    axes.figure.canvas.draw()
    assert axes.get_yscale() == scale
    top = axes.transData.transform((0, mean.max() * 2))[1]
    assert axes.get_legend().get_window_extent().y0 > top


def test_one_bin_is_drawn_as_points(drawn):
    plotted(made(1), configs.NormalizedWaveform())
    assert drawn[0][0].get_ylabel() == "normalized waveform"
    assert drawn[0][0].get_xlabel() == ""
    assert drawn[0][0].lines[0].get_marker() == "o"


@pytest.mark.parametrize("statistics", [made(8), {"a": made(9), "b": made(9, 2)}], ids=["bins", "channels"])
def test_statistics_of_another_shape_are_refused(statistics):
    with pytest.raises(ArgumentError, match="must have the 9 bins of the config and equal shapes"):
        plot_statistics(statistics, STFT)

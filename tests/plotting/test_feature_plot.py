"""Figures of features: values, places and labels on the axes."""

import sys

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audiopipe import Statistics, configs, registry
from audiopipe.errors import ArgumentError, MissingDependencyError
from audiopipe.plotting import drawing, plot_feature

FIELDS = {"sample_rate": 8000, "n_fft": 256, "hop_length": 100}
FEATURE = np.random.default_rng(4).uniform(0.1, 5, (12, 129, 3)).astype(np.float32)
MONO = FEATURE[:, :, :1]
DECIBELS = configs.StftMagnitude(**FIELDS, return_decibel=True)
FOUR = Statistics(mean=np.zeros(4), std=np.ones(4))
MEAN_OF_SECONDS = 100 / 8000  # between two frames
FIRST_CENTRE = 128 / 8000  # of a periodic window of 256 samples


def plotted(feature, config, panels=1, **settings):
    """Returns the axes that a feature is drawn on, without pyplot."""
    axes = Figure(layout="constrained").subplots(panels, 1, squeeze=False)[:, 0]
    assert list(plot_feature(feature, config, axes, **settings)) == list(axes)
    return axes


def image_of(axes):
    [image] = axes.images
    return image


def bars_of(axes):
    """Returns the axes of the colour bars of a figure."""
    return [other for other in axes[0].figure.axes if other not in list(axes)]


def test_each_frame_is_drawn_around_the_centre_of_its_window():
    [axes] = plotted(MONO, DECIBELS, title="a clip")
    image = image_of(axes)
    np.testing.assert_array_equal(image.get_array(), MONO[:, :, 0].T)
    first = FIRST_CENTRE - MEAN_OF_SECONDS / 2
    assert image.get_extent() == pytest.approx((first, first + 12 * MEAN_OF_SECONDS, -0.5, 128.5))
    assert image.origin == "lower"
    assert image.get_clim() == (MONO.min(), MONO.max())
    assert axes.get_xlim() == pytest.approx((0, first + 12 * MEAN_OF_SECONDS))  # from the start of the clip
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("time (s)", "frequency (Hz)", "a clip")


def test_padding_before_the_clip_is_at_negative_times():
    [axes] = plotted(MONO, configs.StftMagnitude(**FIELDS, pad_begin=True))
    low = (128 - 156 - 50) / 8000
    assert image_of(axes).get_extent()[:2] == pytest.approx((low, low + 12 * MEAN_OF_SECONDS))
    assert axes.get_xlim()[0] == pytest.approx(low)


def test_centred_frames_start_half_a_hop_before_the_clip():
    config = registry.get("whisper-80")
    [axes] = plotted(np.zeros((100, 80, 1), np.float32), config)
    assert image_of(axes).get_extent()[:2] == pytest.approx((-0.005, 0.995))


def test_a_start_moves_the_axis_of_time():
    [axes] = plotted(MONO, DECIBELS, start=100_000.0)
    low, high = axes.get_xlim()
    assert (low, high) == pytest.approx((100_000, 100_000 + FIRST_CENTRE + 11.5 * MEAN_OF_SECONDS), abs=1e-9)
    axes.figure.canvas.draw()
    assert axes.xaxis.get_offset_text().get_text() == ""  # the ticks show whole numbers of seconds
    assert axes.get_xticklabels()[0].get_text().startswith("100000")


def test_padding_is_not_drawn():
    config = registry.get("ast")
    feature = np.concatenate([np.ones((30, 128, 1)), np.full((994, 128, 1), config.padding)]).astype(np.float32)
    [axes] = plotted(feature, config, n_frames=30)
    assert image_of(axes).get_array().shape == (128, 30)
    assert axes.get_xlim() == pytest.approx((0, 0.01246875 + 29.5 * 0.01))
    assert image_of(axes).get_clim() == (-1, 1)


def test_magnitudes_are_drawn_in_decibels_down_to_80_below_the_maximum():
    silent = MONO.copy()
    silent[0, 0] = 0
    axes = plotted(silent, configs.StftMagnitude(**FIELDS))
    values = image_of(axes[0]).get_array()
    np.testing.assert_allclose(values[1:], 20 * np.log10(MONO[:, 1:, 0].T), rtol=1e-4, atol=1e-4)
    assert values[0, 0] == pytest.approx(-200)
    low, high = image_of(axes[0]).get_clim()
    assert high == pytest.approx(20 * np.log10(silent.max()), abs=1e-4)
    assert low == pytest.approx(high - 80)
    [bar] = bars_of(axes)
    assert bar.get_ylabel() == "dB\n(20 log10 of the magnitude)"
    assert bar._colorbar.extend == "min"  # -200 dB is below the scale


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_each_channel_has_a_panel_on_one_scale(layout):
    config = configs.StftMagnitude(**FIELDS, channels=3, return_decibel=True, output_data_format=layout)
    feature = FEATURE if layout == "channels_last" else np.moveaxis(FEATURE, -1, 0)
    panels = plotted(feature, config, panels=3)
    for channel, axes in enumerate(panels):
        np.testing.assert_array_equal(image_of(axes).get_array(), FEATURE[:, :, channel].T)
        assert axes.get_ylabel() == f"channel {channel}\nfrequency (Hz)"
        assert image_of(axes).get_clim() == (FEATURE.min(), FEATURE.max())
    assert len(bars_of(panels)) == 1


def test_one_channel_can_be_drawn_alone():
    config = configs.StftMagPhase(**FIELDS, channels=2, return_decibel=True)
    feature = np.concatenate([FEATURE[:, :, :2], FEATURE[:, :, 1:] - 2], axis=-1)
    panels = plotted(feature, config, panels=2, channel=1)
    for axes, number in zip(panels, [1, 3], strict=True):
        np.testing.assert_array_equal(image_of(axes).get_array(), feature[:, :, number].T)
    assert image_of(panels[0]).get_clim() == (FEATURE[:, :, 1].min(), FEATURE[:, :, 1].max())


def test_phases_have_a_cyclic_scale_of_their_own():
    config = configs.StftMagPhase(**FIELDS, channels=2, return_decibel=True)
    levels, phases = FEATURE[:, :, :2] * 10, FEATURE[:, :, 1:] - 2
    panels = plotted(np.concatenate([levels, phases], axis=-1), config, panels=4, value_range=(-10, 20))
    for number, axes in enumerate(panels):
        expected, name = (phases, "phase") if number > 1 else (levels, "decibel")
        np.testing.assert_array_equal(image_of(axes).get_array(), expected[:, :, number % 2].T)
        assert image_of(axes).get_clim() == ((-np.pi, np.pi) if number > 1 else (-10, 20))
        assert image_of(axes).get_cmap().name == ("twilight" if number > 1 else "magma")
        assert axes.get_ylabel() == f"{name}\nchannel {number % 2}\nfrequency (Hz)"
    level_bar, phase_bar = bars_of(panels)
    assert level_bar.get_ylabel() == "dB\n(10 log10 of the magnitude)"
    assert phase_bar.get_ylabel() == "phase (rad)"
    assert [label.get_text() for label in phase_bar.get_yticklabels()] == ["-π", "-π/2", "0", "π/2", "π"]


def test_parts_of_an_stft_are_drawn_by_their_absolute_value_on_one_scale():
    feature = np.concatenate([MONO, -FEATURE[:, :, 1:2]], axis=-1)
    panels = plotted(feature, configs.Stft(**FIELDS), panels=2)
    assert [axes.get_ylabel() for axes in panels] == ["real part\nfrequency (Hz)", "imaginary part\nfrequency (Hz)"]
    for channel, axes in enumerate(panels):
        expected = 20 * np.log10(FEATURE[:, :, channel].T)
        np.testing.assert_allclose(image_of(axes).get_array(), expected, rtol=1e-4, atol=1e-4)
    assert [bar.get_ylabel() for bar in bars_of(panels)] == ["dB\n(20 log10 of the absolute value)"]


def test_normalized_values_have_colours_on_both_sides_of_zero():
    feature = np.full((3, 4, 1), 0.5, np.float32)
    feature[0, 0] = -2
    axes = plotted(feature, configs.StftMagnitude(n_fft=6).normalized(FOUR))
    assert image_of(axes[0]).get_clim() == (-2, 2)
    assert image_of(axes[0]).get_cmap().name == "RdBu_r"
    assert bars_of(axes)[0].get_ylabel() == "magnitude\n(standard deviations)"


def test_the_scale_of_a_cepstrum_follows_all_coefficients_but_the_first():
    feature = np.full((3, 6, 1), 2.0, np.float32)
    feature[:, 0], feature[1, 4] = -500, -7
    axes = plotted(feature, configs.Mfcc(n_mfcc=3, deltas=1))
    assert image_of(axes[0]).get_clim() == (-7, 7)
    assert bars_of(axes)[0]._colorbar.extend == "min"
    assert axes[0].get_ylabel() == "coefficient"


@pytest.mark.parametrize("quantity", ["decibel", "flux"])
def test_equal_values_have_the_colour_of_the_lowest_level(quantity, monkeypatch):
    monkeypatch.setattr(configs.StftMagnitude, "quantities", (quantity,))
    axes = plotted(np.full((3, 129, 1), -50, np.float32), configs.StftMagnitude(**FIELDS))
    assert image_of(axes[0]).get_clim() == (-50, -49)


def test_a_waveform_is_drawn_as_a_line_over_time():
    feature = np.random.default_rng(0).normal(size=(100, 1, 2)).astype(np.float32)
    panels = plotted(feature, configs.NormalizedWaveform(channels=2), panels=2)
    extreme = 1.1 * np.abs(feature).max()
    for channel, axes in enumerate(panels):
        [line] = axes.lines
        np.testing.assert_allclose(line.get_xdata(), np.arange(100) / 16000, rtol=1e-12)
        np.testing.assert_array_equal(line.get_ydata(), feature[:, 0, channel])
        assert axes.get_ylabel() == f"channel {channel}\nnormalized waveform"
        assert axes.get_ylim() == pytest.approx((-extreme, extreme))


def test_values_that_are_not_finite_are_grey_and_do_not_change_the_scale():
    feature = MONO.copy()
    feature[0, 0], feature[1, 1], feature[2, 2] = np.nan, np.inf, -np.inf
    axes = plotted(feature, DECIBELS)
    image = image_of(axes[0])
    finite = feature[np.isfinite(feature)]
    assert image.get_clim() == (finite.min(), finite.max())
    np.testing.assert_allclose(image.get_cmap()(np.ma.masked), [0.6, 0.6, 0.6, 1])
    assert bars_of(axes)[0]._colorbar.extend == "neither"
    axes[0].figure.canvas.draw()


def test_a_feature_of_nothing_but_nan_can_be_drawn():
    [axes] = plotted(np.full((3, 129, 1), np.nan, np.float32), DECIBELS)
    assert image_of(axes).get_clim() == (0, 1)


def test_one_frame_has_a_hop_of_time():
    [axes] = plotted(np.zeros((1, 129, 1), np.float32), configs.StftMagnitude(**FIELDS))
    low, high = image_of(axes).get_extent()[:2]
    assert high - low == pytest.approx(MEAN_OF_SECONDS)


@pytest.mark.parametrize("config", [DECIBELS, configs.NormalizedWaveform()], ids=["picture", "line"])
def test_a_feature_without_frames_gives_empty_axes(config):
    axes = plotted(np.zeros((0, config.n_bins, 1), np.float32), config)
    assert not axes[0].images
    assert not bars_of(axes)
    assert axes[0].get_xlabel() == "time (s)"
    assert axes[0].get_xlim()[0] == 0


def test_columns_of_a_long_feature_are_maxima_of_neighbouring_frames(monkeypatch):
    monkeypatch.setattr(drawing, "MOST_COLUMNS", 5)
    [axes] = plotted(MONO, DECIBELS)
    image = image_of(axes)
    expected = MONO[:, :, 0].reshape(4, 3, 129).max(axis=1)
    np.testing.assert_array_equal(image.get_array(), expected.T)
    first = FIRST_CENTRE - MEAN_OF_SECONDS / 2
    assert image.get_extent()[:2] == pytest.approx((first, first + 12 * MEAN_OF_SECONDS))


def test_the_last_column_of_a_long_feature_ends_with_its_last_frame(monkeypatch):
    monkeypatch.setattr(drawing, "MOST_COLUMNS", 5)
    [axes] = plotted(MONO[:11], DECIBELS)
    first = FIRST_CENTRE - MEAN_OF_SECONDS / 2
    assert image_of(axes).get_extent()[1] == pytest.approx(first + 12 * MEAN_OF_SECONDS)
    assert axes.get_xlim()[1] == pytest.approx(first + 11 * MEAN_OF_SECONDS)
    np.testing.assert_array_equal(image_of(axes).get_array()[:, -1], MONO[9:11, :, 0].max(axis=0))


def test_columns_of_a_long_normalized_feature_are_means(monkeypatch):
    monkeypatch.setattr(drawing, "MOST_COLUMNS", 2)
    feature = np.arange(20, dtype=np.float32).reshape(5, 4, 1)
    [axes] = plotted(feature, configs.StftMagnitude(n_fft=6).normalized(FOUR))
    np.testing.assert_allclose(image_of(axes).get_array().T, [[4, 5, 6, 7], [14, 15, 16, 17]])


def test_a_long_waveform_keeps_its_peaks(monkeypatch):
    monkeypatch.setattr(drawing, "MOST_POINTS", 4)
    feature = np.array([0, 3, -1, 0, 0, np.nan, 2], np.float32)[:, None, None]
    [axes] = plotted(feature, configs.NormalizedWaveform())
    [line] = axes.lines
    np.testing.assert_array_equal(line.get_ydata(), [-1, 3, 0, 2])
    np.testing.assert_allclose(line.get_xdata() * 16000, [0, 0, 4, 4])


@pytest.mark.parametrize(
    "convert",
    [tf.constant, lambda values: tf.cast(values, tf.bfloat16), lambda values: values.astype(ml_dtypes.bfloat16)],
    ids=["tensor", "tensor of bfloat16", "array of bfloat16"],
)
def test_tensors_and_small_dtypes_are_drawn(convert):
    feature = np.arange(12 * 129, dtype=np.float32).reshape(12, 129, 1) % 8  # exact in bfloat16
    [axes] = plotted(convert(feature), DECIBELS)
    np.testing.assert_array_equal(image_of(axes).get_array(), feature[:, :, 0].T)


def test_half_precision_is_converted_before_the_logarithm():
    feature = np.full((3, 129, 1), 1e-4, np.float16)
    [axes] = plotted(feature, configs.StftMagnitude(**FIELDS))
    np.testing.assert_allclose(image_of(axes).get_array(), -80, atol=0.01)


def test_a_title_is_shown_verbatim():
    [axes] = plotted(MONO, DECIBELS, title="a$b$/caf\udce9\tc")
    assert axes.get_title() == r"a$b$/caf\udce9\tc"
    assert not axes.title.get_parse_math()


def test_a_title_that_matplotlib_could_not_read_as_a_formula_is_drawn():
    [axes] = plotted(MONO, DECIBELS, title=r"$\frac$")
    axes.figure.canvas.draw()
    assert axes.get_title() == r"$\frac$"


def test_a_title_that_is_wider_than_the_axes_is_broken_into_lines():
    axes = Figure(figsize=(4, 2)).subplots()
    plot_feature(MONO, DECIBELS, axes, title="a/long/path/" * 6, colorbar=False)
    axes.figure.canvas.draw()
    assert axes.get_title().replace("\n", "") == "a/long/path/" * 6
    assert axes.title.get_window_extent().width <= axes.get_window_extent().width * 1.05


def test_bars_can_be_left_out():
    axes = plotted(MONO, DECIBELS, colorbar=False)
    assert not bars_of(axes)


def test_given_axes_need_no_pyplot(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    plotted(MONO, DECIBELS)


def test_without_axes_pyplot_makes_a_figure():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    axes = plot_feature(FEATURE, configs.StftMagnitude(**FIELDS, channels=3))
    try:
        [number] = set(pyplot.get_fignums()) - set(before)
        assert axes.shape == (3,)
        assert axes[0].figure.number == number
        assert [place.get_xlabel() for place in axes] == ["", "", "time (s)"]  # they share the axis of time
    finally:
        pyplot.close(axes[0].figure)


def test_one_axes_is_enough_for_one_panel():
    axes = Figure().subplots()
    [returned] = plot_feature(MONO, DECIBELS, axes)
    assert returned is axes


@pytest.mark.parametrize(
    ("feature", "config", "message"),
    [
        (MONO[:, :80], DECIBELS, r"shape \[frames, 129, channels\].*shape=\(12, 80, 1\).*config that"),
        (MONO[..., 0], DECIBELS, r"shape=\(12, 129\)\. Add an axis for the channel: feature\[\.\.\., None\]"),
        (MONO[None], DECIBELS, r"shape=\(1, 12, 129, 1\)\. Draw one clip of a batch: feature\[0\]"),
        (MONO[..., :0], DECIBELS, r"must have channels\. Received: shape=\(12, 129, 0\)"),
        (FEATURE, configs.Stft(**FIELDS), "2 channels for each channel of the clip"),
        (MONO + 1j, DECIBELS, "feature must be a NumPy array of numbers.*complex64"),
        ([["a"]], DECIBELS, "feature must be a NumPy array of numbers.*list"),
        (tf.keras.Input((129, 1)), DECIBELS, "feature must be a NumPy array of numbers.*KerasTensor"),
    ],
)
def test_features_that_do_not_fit_are_refused(feature, config, message):
    with pytest.raises(ArgumentError, match=message):
        plot_feature(feature, config, Figure().subplots())


def test_a_feature_with_its_channels_last_is_refused_if_the_config_has_them_first():
    config = configs.StftMagnitude(**FIELDS, output_data_format="channels_first")
    with pytest.raises(ArgumentError, match=r"shape \[channels, frames, 129\].*\(12, 129\)\. Use feature\[None\]"):
        plot_feature(MONO[..., 0], config)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channel": 1}, "channel must be at most 0"),
        ({"n_frames": 13}, "n_frames must be at most 12"),
        ({"value_range": (1, 1)}, r"low < high\. Received: value_range=\(1, 1\)"),
        ({"value_range": 3}, "value_range must be"),
        ({"value_range": (0, 1, 2)}, "value_range must be"),
        ({"start": "now"}, "start must be a number"),
    ],
)
def test_other_arguments_are_checked(settings, message):
    with pytest.raises(ArgumentError, match=message):
        plot_feature(MONO, DECIBELS, Figure().subplots(), **settings)


def test_there_must_be_axes_for_each_panel():
    with pytest.raises(
        ArgumentError, match=r"each of the 3 panels\. Received: 1\. Use matplotlib\.pyplot\.subplots\(3\)"
    ):
        plot_feature(FEATURE, configs.StftMagnitude(**FIELDS, channels=3), Figure().subplots())
    with pytest.raises(ArgumentError, match=r"must be matplotlib Axes.*Received: Figure"):
        plot_feature(MONO, DECIBELS, Figure())


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "audiopipe\[plot\]"'):
        plot_feature(MONO, DECIBELS)


@pytest.mark.parametrize("name", registry.names())
def test_every_preset_has_a_unit_and_round_frequencies(name):
    config = registry.get(name)
    [axes] = plotted(np.random.default_rng(0).uniform(0, 1, (4, config.n_bins, 1)), config)
    [bar] = bars_of([axes])
    assert isinstance(axes, Axes)
    units = ("dB", "log10 of", "ln of", "(log10 of", "(ln of", "log power\n(standard deviations)")
    assert bar.get_ylabel().startswith(units)
    labels = [float(label.get_text()) for label in axes.get_yticklabels()]
    assert len(labels) >= 4
    is_octave = name == "music-log-84"
    assert all(label % 55 == 0 if is_octave else f"{label:g}".strip("0") in {"1", "2", "5"} for label in labels)
    assert min(axes.get_yticks()) >= 0
    assert max(axes.get_yticks()) <= config.n_bins - 0.5

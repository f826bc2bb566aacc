"""Figures of features: the calls of matplotlib, and the image file."""

import sys

import matplotlib.axes
import matplotlib.image
import numpy as np
import pytest

from audiopipe import Statistics, configs
from audiopipe.errors import ArgumentError, MissingDependencyError
from audiopipe.plotting.feature_plot import plot_feature

FIELDS = {"sample_rate": 8000, "n_fft": 256, "hop_length": 100}
FEATURE = np.random.default_rng(4).uniform(0.1, 5, (12, 129, 3)).astype(np.float32)
FOUR = Statistics(mean=np.zeros(4), std=np.ones(4))


@pytest.fixture
def drawn(monkeypatch):
    """Returns the list of images that the test draws, each with its axes."""
    calls = []
    draw = matplotlib.axes.Axes.imshow

    def imshow(axes, values, **kwargs):
        calls.append((axes, values, kwargs))
        return draw(axes, values, **kwargs)

    monkeypatch.setattr(matplotlib.axes.Axes, "imshow", imshow)
    return calls


def test_decibels_are_drawn_as_they_are_over_time_and_frequency(drawn, tmp_path):
    config = configs.StftMagnitude(**FIELDS, return_decibel=True)
    plot_feature(FEATURE[:, :, :1], config, tmp_path / "feature.png", title="a clip")
    [(axes, values, arguments)] = drawn
    np.testing.assert_array_equal(values, FEATURE[:, :, 0].T)
    assert arguments["extent"] == pytest.approx((0, 12 * 100 / 8000, -0.5, 128.5))
    assert arguments["origin"] == "lower"
    assert (arguments["vmin"], arguments["vmax"]) == (FEATURE[:, :, 0].min(), FEATURE[:, :, 0].max())
    assert axes.get_xlabel() == "start of the frame (s)"
    assert axes.get_ylabel() == "frequency (Hz)"
    assert axes.figure.get_suptitle() == "a clip"
    assert matplotlib.image.imread(tmp_path / "feature.png").shape == (480, 1080, 4)


def test_magnitudes_are_drawn_in_decibels_down_to_80_below_the_maximum(drawn, tmp_path):
    silent = FEATURE[:, :, :1].copy()
    silent[0, 0] = 0
    plot_feature(silent, configs.StftMagnitude(**FIELDS), tmp_path / "feature.png")
    [(_, values, arguments)] = drawn
    np.testing.assert_allclose(values[1:], 20 * np.log10(FEATURE[:, 1:, 0].T), rtol=1e-4, atol=1e-4)
    assert values[0, 0] == pytest.approx(-200)
    assert arguments["vmin"] == pytest.approx(arguments["vmax"] - 80)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_each_channel_has_a_panel(drawn, tmp_path, layout):
    config = configs.StftMagnitude(**FIELDS, channels=3, return_decibel=True, output_data_format=layout)
    feature = FEATURE if layout == "channels_last" else np.moveaxis(FEATURE, -1, 0)
    plot_feature(feature, config, tmp_path / "feature.png")
    assert len(drawn) == 3
    for channel, (axes, values, arguments) in enumerate(drawn):
        np.testing.assert_array_equal(values, FEATURE[:, :, channel].T)
        assert axes.get_ylabel() == f"channel {channel}\nfrequency (Hz)"
        assert (arguments["vmin"], arguments["vmax"]) == (FEATURE.min(), FEATURE.max())
    assert matplotlib.image.imread(tmp_path / "feature.png").shape == (1200, 1080, 4)


def test_phases_have_their_own_scale_and_are_not_in_decibels(drawn, tmp_path):
    config = configs.StftMagPhase(**FIELDS, channels=2, return_decibel=True)
    levels, phases = FEATURE[:, :, :2] * 10, FEATURE[:, :, 1:] - 2
    plot_feature(np.concatenate([levels, phases], axis=-1), config, tmp_path / "feature.png")
    assert len(drawn) == 4
    for (axes, values, arguments), channel in zip(drawn, [0, 1, 0, 1], strict=True):
        is_phase = axes is drawn[2][0] or axes is drawn[3][0]
        expected, name = (phases, "phase") if is_phase else (levels, "decibel")
        limits = (-np.pi, np.pi) if is_phase else (levels.min(), levels.max())
        np.testing.assert_array_equal(values, expected[:, :, channel].T)
        assert (arguments["vmin"], arguments["vmax"]) == limits
        assert axes.get_ylabel() == f"{name}\nchannel {channel}\nfrequency (Hz)"
    bars = [axes.get_ylabel() for axes in drawn[0][0].figure.axes if axes not in [call[0] for call in drawn]]
    assert bars == ["dB", "phase (rad)"]


def test_negative_parts_of_an_stft_are_drawn_by_their_absolute_value(drawn, tmp_path):
    feature = np.concatenate([FEATURE[:, :, :1], -FEATURE[:, :, 1:2]], axis=-1)
    plot_feature(feature, configs.Stft(**FIELDS), tmp_path / "feature.png")
    assert [axes.get_ylabel() for axes, _, _ in drawn] == [
        "real part\nfrequency (Hz)",
        "imaginary part\nfrequency (Hz)",
    ]
    for channel, (_, values, _) in enumerate(drawn):
        np.testing.assert_allclose(values, 20 * np.log10(FEATURE[:, :, channel].T), rtol=1e-4, atol=1e-4)


def test_powers_have_ten_decibels_per_decade(drawn, tmp_path):
    config = configs.KerasMelSpectrogram(sample_rate=8000, num_mel_bins=129, power_to_db=False)
    plot_feature(FEATURE[:, :, :1], config, tmp_path / "feature.png")
    np.testing.assert_allclose(drawn[0][1], 10 * np.log10(FEATURE[:, :, 0].T), rtol=1e-4, atol=1e-4)


@pytest.mark.cases(3)
@pytest.mark.parametrize(
    ("config", "label", "bins"),
    [
        (configs.LogMel(n_mels=4), "log power", "frequency (Hz)"),
        (configs.LogMel(n_mels=4, normalization="clip"), "normalized log power", "frequency (Hz)"),
        (configs.StftMagnitude(n_fft=6).normalized(FOUR), "normalized magnitude", "frequency (Hz)"),
        (configs.Mfcc(n_mfcc=4), "cepstrum", "coefficient"),
        (configs.Mfcc(n_mfcc=4).normalized(FOUR), "normalized cepstrum", "coefficient"),
        (configs.Mfcc(n_mfcc=4, normalization="clip"), "normalized cepstrum", "coefficient"),
    ],
)
def test_other_quantities_are_drawn_as_they_are_with_their_names(drawn, tmp_path, config, label, bins):
    feature = FEATURE[:, :4, :1] - 3
    plot_feature(feature, config, tmp_path / "feature.png")
    axes, values, arguments = drawn[0]
    np.testing.assert_array_equal(values, feature[:, :, 0].T)
    assert (arguments["vmin"], arguments["vmax"]) == (feature.min(), feature.max())
    assert axes.get_ylabel() == bins
    assert label in [other.get_ylabel() for other in axes.figure.axes]  # that of the colour bar


def test_a_waveform_is_drawn_as_a_line_over_time(drawn, monkeypatch, tmp_path):
    lines = []
    monkeypatch.setattr(
        matplotlib.axes.Axes, "plot", lambda axes, *values, **settings: lines.append((axes.get_ylabel, *values))
    )
    feature = np.random.default_rng(0).normal(size=(100, 1, 2)).astype(np.float32)
    plot_feature(feature, configs.NormalizedWaveform(channels=2), tmp_path / "feature.png")
    assert (len(drawn), len(lines)) == (0, 2)
    for channel, (label, times, values) in enumerate(lines):
        assert label() == f"channel {channel}\nnormalized waveform"
        np.testing.assert_array_equal(times, np.arange(100) / 16000)
        np.testing.assert_array_equal(values, feature[:, 0, channel])


def test_ticks_show_the_frequencies_of_their_bins(drawn, tmp_path):
    plot_feature(FEATURE, configs.StftMagnitude(**FIELDS, channels=3), tmp_path / "feature.png")
    axes = drawn[0][0]
    labels = [float(label.get_text()) for label in axes.get_yticklabels()]
    np.testing.assert_allclose(labels, axes.get_yticks() * 8000 / 256, atol=0.5)
    assert (labels[0], labels[-1]) == (0, 4000)


def test_padding_before_the_clip_is_at_negative_times(drawn, tmp_path):
    config = configs.StftMagnitude(**FIELDS, pad_begin=True)
    plot_feature(FEATURE[:, :, :1], config, tmp_path / "feature.png")
    assert drawn[0][2]["extent"][:2] == pytest.approx((-156 / 8000, (12 * 100 - 156) / 8000))


def test_one_frame_of_silence_can_be_drawn(drawn, tmp_path):
    plot_feature(np.zeros((1, 129, 1), np.float32), configs.StftMagnitude(**FIELDS), tmp_path / "feature.png")
    assert drawn[0][2]["extent"][:2] == pytest.approx((0, 100 / 8000))


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "audiopipe\[plot\]"'):
        plot_feature(FEATURE, configs.StftMagnitude(**FIELDS), tmp_path / "feature.png")


@pytest.mark.parametrize(("name", "reason"), [("nowhere/image.png", "No such file"), ("image.xyz", "xyz")])
def test_an_image_that_cannot_be_written_is_named(tmp_path, name, reason):
    with pytest.raises(ArgumentError, match=rf"Could not write the image '.*{name}': .*{reason}"):
        plot_feature(FEATURE[:, :, :1], configs.StftMagnitude(**FIELDS), tmp_path / name)

"""Figures of waveforms."""

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from audiopipe.errors import ArgumentError
from audiopipe.plotting import plot_clip

STEREO = np.stack([np.linspace(-0.5, 0.25, 100), np.linspace(0, 0.1, 100)], axis=-1).astype(np.float32)


@pytest.mark.parametrize("clip", [STEREO[:, 0], STEREO[:, :1], tf.constant(STEREO[:, 0])], ids=["1", "2", "tensor"])
def test_a_mono_clip_is_a_line_over_seconds(clip):
    [axes] = plot_clip(clip, 50, Figure().subplots(), start=3.0, title="clip")
    [line] = axes.lines
    np.testing.assert_allclose(line.get_xdata(), 3 + np.arange(100) / 50)
    np.testing.assert_array_equal(line.get_ydata(), STEREO[:, 0])
    assert axes.get_xlim() == (3, 5)
    assert axes.get_ylim() == pytest.approx((-0.55, 0.55))
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("time (s)", "amplitude", "clip")


def test_channels_have_panels_with_one_scale():
    panels = plot_clip(STEREO, 50, Figure().subplots(2))
    assert [axes.get_ylabel() for axes in panels] == ["channel 0\namplitude", "channel 1\namplitude"]
    assert panels[0].get_ylim() == panels[1].get_ylim()
    np.testing.assert_array_equal(panels[1].lines[0].get_ydata(), STEREO[:, 1])


def test_one_channel_can_be_drawn_alone():
    [axes] = plot_clip(STEREO, 50, Figure().subplots(), channel=1)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), STEREO[:, 1])
    assert axes.get_ylabel() == "channel 1\namplitude"


@pytest.mark.parametrize("clip", [np.zeros(0), np.zeros(10), np.full(10, np.nan)], ids=["empty", "silent", "nan"])
def test_clips_without_sound_have_axes(clip):
    [axes] = plot_clip(clip, 10, Figure().subplots())
    assert axes.get_ylim() == pytest.approx((-1.1, 1.1))
    assert axes.get_xlim()[0] == 0


@pytest.mark.parametrize(
    ("clip", "settings", "message"),
    [
        (np.zeros((1, 100, 1)), {}, r"shape \[time\] or \[time, channels\]\. Received: shape=\(1, 100, 1\)"),
        (STEREO.T, {}, r"Received: shape=\(2, 100\).*channels last"),
        (STEREO, {"channel": 2}, "channel must be at most 1"),
        (STEREO, {"sample_rate": 0}, "sample_rate must be greater than 0"),
    ],
)
def test_wrong_arguments_are_refused(clip, settings, message):
    with pytest.raises(ArgumentError, match=message):
        plot_clip(clip, settings.pop("sample_rate", 50), **settings)

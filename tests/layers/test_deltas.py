"""Tests of `Deltas` against librosa and against the regression formula in float64."""

import librosa
import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.layers import Delta, Deltas

LAST, FIRST = "channels_last", "channels_first"


def cepstra(*shape):
    return np.random.default_rng(0).normal(-10, 3, shape).astype(np.float32)


def slopes(values, reach):
    """Computes the slopes of `[frames, bins]`, with the outermost frames repeated, by HTK's regression formula."""
    padded = np.pad(values, [(reach, reach), (0, 0)], mode="edge")
    norm = 2 * sum(k * k for k in range(1, reach + 1))
    frames = range(reach, reach + len(values))
    return np.array([sum(k * (padded[t + k] - padded[t - k]) for k in range(1, reach + 1)) / norm for t in frames])


def kaldi(values, reach):
    """Computes the acceleration of `[frames, bins]` as Kaldi's `DeltaFeatures`: one filter on repeated frames."""
    first = np.arange(-reach, reach + 1) / (2 * sum(k * k for k in range(1, reach + 1)))
    second = np.convolve(first, first)
    padded = np.pad(values, [(2 * reach, 2 * reach), (0, 0)], mode="edge")
    return np.array([second @ padded[t : t + 4 * reach + 1] for t in range(len(values))])


@pytest.mark.parametrize("win_length", [3, 5, 9])
@pytest.mark.parametrize("frames", [1, 2, 5, 30])
def test_slopes_and_slopes_of_slopes_are_appended_to_the_bins(win_length, frames):
    batch = cepstra(2, frames, 4, 2)
    wide = batch.astype(np.float64)
    first = np.stack([[slopes(wide[b, :, :, c], win_length // 2) for c in range(2)] for b in range(2)])
    second = np.stack([[slopes(first[b, c], win_length // 2) for c in range(2)] for b in range(2)])
    expected = np.concatenate([np.moveaxis(wide, -1, 1), first, second], axis=-1)
    channels_first = Deltas(2, win_length, data_format=FIRST)(np.moveaxis(batch, -1, 1)).numpy()
    np.testing.assert_allclose(channels_first, expected, rtol=0, atol=4e-6)
    channels_last = Deltas(2, win_length, data_format=LAST)(batch).numpy()
    np.testing.assert_array_equal(np.moveaxis(channels_last, -1, 1), channels_first)
    np.testing.assert_array_equal(Deltas(1, win_length)(batch), channels_last[:, :, :8])


@pytest.mark.parametrize("mode", ["symmetric", "reflect", "constant", "edge"])
def test_parts_are_the_input_and_repeated_deltas(mode):
    batch = cepstra(2, 11, 4, 1)
    delta = Delta(5, mode)
    expected = np.concatenate([batch, delta(batch), delta(delta(batch))], axis=2)
    np.testing.assert_array_equal(Deltas(2, 5, mode)(batch), expected)


@pytest.mark.parametrize("win_length", [3, 5, 9])
def test_acceleration_equals_that_of_kaldi_except_at_the_ends(win_length):
    values, reach = cepstra(30, 4), win_length // 2
    actual = Deltas(2, win_length)(values[None, ..., None])[0, :, 8:, 0].numpy()
    expected = kaldi(values.astype(np.float64), reach)
    inner = slice(reach, -reach)
    np.testing.assert_allclose(actual[inner], expected[inner], rtol=0, atol=4e-6)
    assert np.abs(actual - expected)[0].max() > 0.01


@pytest.mark.parametrize("win_length", [3, 5, 9])
@pytest.mark.parametrize("frames", [9, 10, 40])
def test_fits_inside_the_clip_equal_those_of_librosa(win_length, frames):
    values = cepstra(frames, 4)
    wide = values.astype(np.float64)
    parts = [librosa.feature.delta(wide, width=win_length, order=order, axis=0) for order in (1, 2)]
    actual = Deltas(2, win_length, "interp")(values[None, ..., None])[0, ..., 0]
    np.testing.assert_allclose(actual, np.concatenate([wide, *parts], axis=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["edge", "interp"])
def test_a_constant_with_a_huge_offset_has_no_slope(mode):
    values = np.full((1, 20, 3, 1), 1e6 / 3, np.float32)
    assert not Deltas(2, 9, mode)(values).numpy()[:, :, 3:].any()


@pytest.mark.parametrize("mode", ["edge", "interp"])
@pytest.mark.parametrize("frames", [0, 1, 2])
def test_short_clips_have_finite_deltas(mode, frames):
    values = cepstra(2, frames, 3, 1)
    result = Deltas(2, 9, mode)(values).numpy()
    assert result.shape == (2, frames, 9, 1)
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(result[:, :, :3], values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": 0}, "order must be one of 1, 2. Received: order=0"),
        ({"order": 3}, "order must be one of 1, 2. Received: order=3"),
        ({"win_length": 4}, "win_length must be odd"),
        ({"mode": "wrap"}, "mode must be one of 'symmetric'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Deltas(**arguments)

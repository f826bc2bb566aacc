"""Tests of `Delta` against a polynomial fit and a loop in float64."""

import librosa
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Delta

LAST, FIRST = "channels_last", "channels_first"


def spectrograms(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def reference(batch, win_length, mode):
    """Computes the deltas of `[batch, frames, bins, channels]` frame by frame."""
    reach = win_length // 2
    padded = np.pad(batch.astype(np.float64), [(0, 0), (reach, reach), (0, 0), (0, 0)], mode)
    weights = np.arange(-reach, reach + 1)
    frames = [np.einsum("k,bkfc->bfc", weights, padded[:, t : t + win_length]) for t in range(batch.shape[1])]
    return np.stack(frames, axis=1) / np.sum(weights**2)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("mode", ["symmetric", "reflect", "constant", "edge"])
@pytest.mark.parametrize("win_length", [3, 5, 9])
def test_delta_equals_a_loop_in_numpy_for_any_number_of_channels(win_length, mode, channels):
    batch = spectrograms(2, 20, 6, channels)
    expected = reference(batch, win_length, mode)
    actual = Delta(win_length, mode, LAST)(batch).numpy()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    first = Delta(win_length, mode, FIRST)(np.moveaxis(batch, -1, 1)).numpy()
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), actual)


@pytest.mark.parametrize("win_length", [3, 7])
def test_delta_is_the_slope_of_a_line_through_the_frames(win_length):
    batch = spectrograms(1, 30, 4, 2)
    expected = scipy.signal.savgol_filter(batch.astype(np.float64), win_length, 1, deriv=1, axis=1, mode="interp")
    inner = slice(win_length // 2, -(win_length // 2))
    np.testing.assert_allclose(Delta(win_length)(batch)[:, inner], expected[:, inner], rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", ["symmetric", "reflect", "constant", "edge"])
@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_a_clip_shorter_than_the_window_is_mirrored_as_often_as_needed(frames, mode):
    batch = spectrograms(2, frames, 3, 1)
    expected = reference(batch, 9, mode)
    np.testing.assert_allclose(Delta(9, mode)(batch), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("frames", [9, 10, 30])
def test_slopes_inside_the_clip_equal_those_of_librosa(frames):
    batch = spectrograms(2, frames, 6, 1)
    expected = librosa.feature.delta(batch.astype(np.float64), width=9, axis=1)
    np.testing.assert_allclose(Delta(9, "interp")(batch), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("frames", [0, 1, 4, 8])
def test_a_clip_without_a_whole_window_has_no_slope_inside(frames):
    batch = spectrograms(2, frames, 3, 1)
    batch[:1] = np.nan  # of another clip
    assert not Delta(9, "interp")(batch).numpy()[1:].any()


@pytest.mark.parametrize("mode", ["symmetric", "reflect", "constant", "edge", "interp"])
def test_a_clip_without_frames_stays_without_frames(mode):
    assert Delta(5, mode)(np.zeros((2, 0, 3, 1), np.float32)).shape == (2, 0, 3, 1)


def test_the_mode_is_not_case_sensitive():
    assert Delta(mode="SYMMETRIC").get_config()["mode"] == "symmetric"


def test_the_gradient_includes_mirrored_frames():
    batch = tf.constant(spectrograms(1, 2, 1, 1))
    with tf.GradientTape() as tape:
        tape.watch(batch)
        first = Delta(3)(batch)[0, 0, 0, 0]  # (x[1] - x[0]) / 2, because x[-1] mirrors x[0]
    np.testing.assert_allclose(tape.gradient(first, batch).numpy().ravel(), [-0.5, 0.5])


@pytest.mark.parametrize("win_length", [5, 9, 21])
def test_a_graph_of_known_shapes_does_not_reorder_the_sum(win_length):
    batch = tf.constant(spectrograms(2, 40, 13, 1))
    layer = Delta(win_length)
    np.testing.assert_array_equal(tf.function(layer)(batch), layer(batch))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"win_length": 1}, "win_length must be at least 3. Received: win_length=1"),
        ({"win_length": 4}, "win_length must be odd.*win_length=4"),
        ({"win_length": 5.0}, "win_length=5.0"),
        ({"mode": "wrap"}, "mode must be one of 'symmetric', 'reflect', 'constant', 'edge', 'interp'.*mode='wrap'"),
        ({"mode": None}, "mode=None"),
        ({"data_format": "NCHW"}, "data_format='NCHW'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Delta(**arguments)


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4), (1, 2, 5, 4, 1)])
def test_any_rank_but_four_is_refused(shape):
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        Delta()(np.zeros(shape, np.float32))


@pytest.mark.parametrize("dtype", ["int32", "complex64"])
def test_integers_and_complex_values_are_refused(dtype):
    with pytest.raises(ArgumentError, match=f"floating-point.*{dtype}"):
        Delta()(np.zeros((1, 5, 4, 1), dtype))

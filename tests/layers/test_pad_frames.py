"""Tests of `PadFrames` against NumPy."""

import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.layers import PadFrames

LAST, FIRST = "channels_last", "channels_first"


def spectrograms(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def padded(batch, n_frames, value):
    """Returns `[batch, frames, bins, channels]` with `n_frames` frames."""
    missing = max(0, n_frames - batch.shape[1])
    return np.pad(batch, [(0, 0), (0, missing), (0, 0), (0, 0)], constant_values=value)[:, :n_frames]


@pytest.mark.parametrize("frames", [0, 1, 9])
@pytest.mark.parametrize("value", [0.0, -11.5])
@pytest.mark.parametrize("data_format", [LAST, FIRST])
def test_frames_of_one_value_are_appended(frames, value, data_format):
    axis = -1 if data_format == LAST else 1
    batch = spectrograms(2, frames, 3, 2)
    clips = np.moveaxis(batch, -1, axis)
    for count in (1, 5):
        actual = PadFrames(count, value=value, data_format=data_format)(clips)
        np.testing.assert_array_equal(actual, np.moveaxis(padded(batch, frames + count, value), -1, axis))
    for n_frames in (1, 9, 20):
        actual = PadFrames(n_frames=n_frames, value=value, data_format=data_format)(clips)
        np.testing.assert_array_equal(actual, np.moveaxis(padded(batch, n_frames, value), -1, axis))


@pytest.mark.parametrize("data_format", [LAST, FIRST])
def test_each_bin_can_have_a_value_of_its_own(data_format):
    batch, axis = spectrograms(2, 3, 4, 2), -1 if data_format == LAST else 1
    values = np.float32([1, -2, 0.5, 3])
    actual = np.moveaxis(PadFrames(2, value=values, data_format=data_format)(np.moveaxis(batch, -1, axis)), axis, -1)
    np.testing.assert_array_equal(actual[:, :3], batch)
    np.testing.assert_array_equal(actual[:, 3:], np.broadcast_to(values[:, None], (2, 2, 4, 2)))
    layer = PadFrames.from_config(PadFrames(2, value=values).get_config())
    assert layer.value == values.tolist()
    with pytest.raises(ArgumentError, match="with 4 bins, one for each number of value"):
        layer(spectrograms(1, 3, 5, 1))


def test_the_value_keeps_its_precision_under_a_float64_policy():
    assert PadFrames(1, value=0.1, dtype="float64")(np.zeros((1, 1, 1, 1)))[0, 1, 0, 0] == np.float64(0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either count or n_frames. Received: count=None, n_frames=None"),
        ({"count": 1, "n_frames": 4}, "either count or n_frames. Received: count=1, n_frames=4"),
        ({"count": 0}, "count must be at least 1"),
        ({"n_frames": 0}, "n_frames must be at least 1"),
        ({"n_frames": 10.0}, "n_frames must be an integer"),
        ({"count": 1, "value": float("inf")}, "value must be finite"),
        ({"count": 1, "value": 1e39}, "value must be at most"),
        ({"count": 1, "value": []}, "value must be a number or a sequence"),
        ({"count": 1, "data_format": "NCHW"}, "data_format='NCHW'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        PadFrames(**arguments)


def test_any_rank_but_four_is_refused():
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        PadFrames(1)(spectrograms(2, 5, 4))

"""Tests of `StackFrames` against NumPy, row by row."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import StackFrames

LAST, FIRST = "channels_last", "channels_first"


def spectrograms(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 8, 11])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_row_holds_neighbouring_frames_one_after_the_other(frames, count):
    batch = spectrograms(2, frames, 4, 3)
    rows = -(-frames // count)
    expected = np.full((2, rows, count * 4, 3), -7.5, np.float32)
    for frame in range(frames):
        row, place = divmod(frame, count)
        expected[:, row, 4 * place : 4 * place + 4] = batch[:, frame]
    np.testing.assert_array_equal(StackFrames(count, -7.5, LAST)(batch), expected)
    first = StackFrames(count, -7.5, FIRST)(np.moveaxis(batch, -1, 1))
    np.testing.assert_array_equal(first, np.moveaxis(expected, -1, 1))


def test_any_number_of_frames_and_bins_may_be_unknown():
    graph = tf.function(StackFrames(2), input_signature=[tf.TensorSpec([None] * 4)])
    batch = spectrograms(1, 5, 4, 1)
    np.testing.assert_array_equal(graph(batch), StackFrames(2)(batch))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be at least 1"),
        ({"count": 2.0}, "count must be an integer"),
        ({"count": 2, "value": float("nan")}, "value must be finite"),
        ({"count": 2, "value": None}, "value must be a number"),
        ({"count": 2, "data_format": "NCHW"}, "data_format='NCHW'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        StackFrames(**arguments)


def test_any_rank_but_four_is_refused():
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        StackFrames(2)(spectrograms(2, 5, 4))


@pytest.mark.parametrize("data_format", [LAST, FIRST])
def test_each_bin_of_missing_frames_can_have_a_value_of_its_own(data_format):
    batch, axis = spectrograms(2, 4, 3, 2), -1 if data_format == LAST else 1
    layer = StackFrames(3, value=[1.0, -2.0, 0.5], data_format=data_format)
    actual = np.moveaxis(layer(np.moveaxis(batch, -1, axis)), axis, -1)
    np.testing.assert_array_equal(actual[:, 1, :3], batch[:, 3])
    np.testing.assert_array_equal(actual[0, 1, 3:, 1], [1.0, -2.0, 0.5] * 2)
    with pytest.raises(ArgumentError, match="with 3 bins, one for each number of value"):
        StackFrames(3, value=[1.0, -2.0, 0.5])(spectrograms(1, 3, 5, 1))

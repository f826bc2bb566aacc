"""Choice of a channel in TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.signal import ops

WAVEFORM = np.float32([[0.5, -0.0, 1e-40], [np.nan, 0.25, -1e-45], [3.0, np.inf, 0.0]])


def graph(channel, shape):
    return tf.function(
        lambda waveform: ops.pick_channel(waveform, channel), input_signature=[tf.TensorSpec(shape, tf.float32)]
    )


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("shape", [None, (None, None), (None, 3), (3, 3)])
def test_the_bits_of_the_channel_are_kept(channel, shape):
    pick = (lambda waveform: ops.pick_channel(waveform, channel)) if shape is None else graph(channel, shape)
    picked = pick(tf.constant(WAVEFORM)).numpy()
    np.testing.assert_array_equal(picked.view(np.int32), WAVEFORM[:, channel : channel + 1].view(np.int32))


def test_the_result_has_one_channel_in_a_graph():
    assert graph(1, (None, None)).get_concrete_function().structured_outputs.shape.as_list() == [None, 1]


@pytest.mark.parametrize("shape", [(None, None), (None, 1)])
def test_a_single_channel_is_returned_whatever_its_number(shape):
    np.testing.assert_array_equal(graph(2, shape)(WAVEFORM[:, :1]), WAVEFORM[:, :1])
    np.testing.assert_array_equal(ops.pick_channel(tf.constant(WAVEFORM[:, :1]), 2), WAVEFORM[:, :1])


@pytest.mark.parametrize("shape", [(None, None), (None, 2)])
def test_a_missing_channel_is_an_error(shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match="picks channel 2, and channels count from 0"):
        graph(2, shape)(WAVEFORM[:, :2])


def test_the_waveform_of_an_empty_clip_is_empty():
    assert ops.pick_channel(tf.zeros([0, 3]), 1).shape == (0, 1)

"""Tests of `ReflectionPadding` against `numpy.pad`, also for clips shorter than the padding."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import ReflectionPadding

LENGTHS = [1, 2, 3, 4, 5, 7, 11, 12, 13, 40]


def waveform(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("before", "after"), [(0, 0), (5, 0), (0, 5), (12, 11), (30, 31)])
def test_reflection_equals_that_of_numpy(length, before, after):
    clips = waveform(3, length, 2)
    expected = np.pad(clips, [(0, 0), (before, after), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(ReflectionPadding(before, after, "channels_last")(clips), expected)
    channels_first = ReflectionPadding(before, after, "channels_first")(clips.transpose(0, 2, 1))
    np.testing.assert_array_equal(channels_first, expected.transpose(0, 2, 1))


def test_one_graph_accepts_waveforms_of_every_length():
    layer = ReflectionPadding(9, 8, "channels_last")
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 2])])
    for length in LENGTHS:
        clips = waveform(2, length, 2)
        np.testing.assert_array_equal(graph(clips), np.pad(clips, [(0, 0), (9, 8), (0, 0)], mode="reflect"))


def test_a_waveform_without_samples_is_not_padded():
    layer = ReflectionPadding(9, 8, "channels_last")
    assert layer(np.zeros((2, 0, 3), np.float32)).shape == layer.compute_output_shape((2, 0, 3)) == (2, 0, 3)


def test_the_gradient_of_a_sample_is_the_sum_over_its_reflections():
    clip = tf.constant([[[1.0], [2.0], [3.0]]])
    with tf.GradientTape() as tape:
        tape.watch(clip)
        padded = ReflectionPadding(2, 3, "channels_last")(clip)
    # The padded clip is 3 2 | 1 2 3 | 2 1 2.
    np.testing.assert_array_equal(tape.gradient(padded, clip)[0, :, 0], [2, 4, 2])


def test_invalid_arguments_and_ranks_are_refused():
    with pytest.raises(ArgumentError, match=r"before must be at least 0. Received: before=-1"):
        ReflectionPadding(-1, 0)
    with pytest.raises(ArgumentError, match=r"after must be an integer. Received: after=1\.5"):
        ReflectionPadding(0, 1.5)
    with pytest.raises(ArgumentError, match=r"rank 3, \(batch, time, channels\).*shape=\(16, 100\)"):
        ReflectionPadding(1, 1)(np.zeros((16, 100), np.float32))

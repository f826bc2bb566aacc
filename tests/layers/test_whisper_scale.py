"""Tests of `WhisperScale` against the formula in float64, and of the silent frames that it appends."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import WhisperScale

LAST, FIRST = "channels_last", "channels_first"


def powers(*shape):
    """Returns powers from far below to far above the minimum, with a different maximum for every clip."""
    draw = np.random.default_rng(0)
    exponents = draw.uniform(-14, 2, shape) + np.arange(shape[0]).reshape(-1, 1, 1, 1) * 3
    return (10**exponents).astype(np.float32)


def formula(clip):
    levels = np.log10(np.maximum(clip.astype(np.float64), 1e-10))
    return (np.maximum(levels, levels.max() - 8) + 4) / 4


def test_each_clip_equals_the_formula():
    batch = powers(4, 7, 5, 2)
    for clip, found in zip(batch, WhisperScale(data_format=LAST)(batch).numpy(), strict=True):
        np.testing.assert_allclose(found, formula(clip), rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [0, 1e-12, 1.0, np.nan])
def test_appended_frames_have_the_bits_of_silent_frames(scale):
    batch = powers(3, 4, 5, 2) * np.float32(scale)
    layer = WhisperScale(9, data_format=LAST)
    whole = np.pad(batch, [(0, 0), (0, 5), (0, 0), (0, 0)])
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None] * 4)])
    for found in (layer(batch), graph(batch)):
        np.testing.assert_array_equal(found, layer(whole))
    assert np.isnan(layer(batch)).all() == np.isnan(scale)


def test_a_silent_clip_has_the_lowest_value_everywhere():
    found = WhisperScale(3, data_format=LAST)(np.zeros((1, 2, 4, 1), np.float32))
    np.testing.assert_allclose(found, np.full((1, 3, 4, 1), -1.5), rtol=1e-6)


def test_frames_are_appended_along_the_frame_axis_of_the_data_format():
    batch = powers(2, 3, 4, 5)
    found = WhisperScale(6, data_format=FIRST)(batch.transpose(0, 3, 1, 2)).numpy()
    np.testing.assert_array_equal(found.transpose(0, 2, 3, 1), WhisperScale(6, data_format=LAST)(batch))


def test_the_number_of_frames_is_known_for_an_input_of_unknown_length():
    layer = WhisperScale(6, data_format=LAST)
    assert layer.compute_output_shape((None, None, 80, 1)) == (None, 6, 80, 1)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 80, 1])])
    assert graph.get_concrete_function().output_shapes == (None, 6, 80, 1)


def test_bits_do_not_depend_on_other_clips_of_the_batch():
    batch, layer = powers(5, 7, 3, 1), WhisperScale(8, data_format=LAST)
    for index in range(5):
        np.testing.assert_array_equal(layer(batch[index : index + 1])[0], layer(batch)[index])


def test_invalid_arguments_and_inputs_are_refused():
    with pytest.raises(ArgumentError, match=r"n_frames must be at least 1. Received: n_frames=0"):
        WhisperScale(0)
    with pytest.raises(ArgumentError, match=r"at most n_frames=2 frames. Received: shape=\(1, 3, 4, 1\). Cut"):
        WhisperScale(2, data_format=LAST)(powers(1, 3, 4, 1))
    with pytest.raises(ArgumentError, match=r"rank 4"):
        WhisperScale(data_format=LAST)(np.zeros((3, 4), np.float32))

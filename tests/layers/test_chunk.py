"""Tests of `Chunk`: cutting and padding."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Chunk

LAST, FIRST = "channels_last", "channels_first"


def noise(time):
    return np.random.default_rng(time).standard_normal((2, time, 3)).astype(np.float32)


@pytest.mark.parametrize("data_format", [LAST, FIRST])
@pytest.mark.parametrize(
    ("time", "expected"), [(0, 10), (1, 15), (5, 15), (6, 20), (89, 100), (96, 103), (97, 103), (103, 103), (150, 103)]
)
def test_a_waveform_is_cut_or_padded_with_as_few_zeros_as_needed(data_format, time, expected):
    layer, waveform = Chunk(103, margin=10, multiple=5, data_format=data_format), noise(time)
    padded = np.pad(waveform[:, :103], [(0, 0), (0, expected - min(time, 103)), (0, 0)])
    inputs = waveform if data_format == LAST else waveform.transpose(0, 2, 1)
    found = layer(inputs)
    axis = 1 if data_format == LAST else 2
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None] * 3)])
    for result in (found, graph(inputs)):
        np.testing.assert_array_equal(np.moveaxis(result, axis, 1), padded)
    assert layer.compute_output_shape(inputs.shape) == found.shape


def test_without_a_margin_the_output_fills_the_chunk_and_has_a_known_shape():
    layer = Chunk(7, data_format=LAST)
    for time in (0, 3, 7, 9):
        np.testing.assert_array_equal(layer(noise(time))[:, :time], noise(time)[:, :7])
        assert layer(noise(time)).shape == (2, 7, 3)
    assert layer.compute_output_shape((None, None, 1)) == (None, 7, 1)
    assert Chunk(7, margin=1, data_format=LAST).compute_output_shape((None, None, 1)) == (None, None, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, r"n_samples must be at least 1. Received: n_samples=0"),
        ({"n_samples": 5, "margin": -1}, r"margin must be at least 0. Received: margin=-1"),
        ({"n_samples": 5, "multiple": 0}, r"multiple must be at least 1. Received: multiple=0"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Chunk(**arguments)


def test_a_wrong_rank_is_refused():
    with pytest.raises(ArgumentError, match=r"rank 3, \(batch, time, channels\). Received: shape=\(2, 5\)"):
        Chunk(5, data_format=LAST)(np.zeros((2, 5), np.float32))

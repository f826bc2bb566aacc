"""Tests of `Chunk`: cutting and padding."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Chunk

LAST, FIRST = "channels_last", "channels_first"


def noise(time):
    return np.random.default_rng(time).standard_normal((2, time, 3)).astype(np.float32)


@pytest.mark.cases(9)
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
        ({"n_samples": 5, "fill": "wrap"}, r"fill must be one of 'zeros', 'repeat'. Received: fill='wrap'"),
        ({"n_samples": 5, "longer": None}, r"longer must be one of 'cut', 'error'. Received: longer=None"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Chunk(**arguments)


def test_a_wrong_rank_is_refused():
    with pytest.raises(ArgumentError, match=r"rank 3, \(batch, time, channels\). Received: shape=\(2, 5\)"):
        Chunk(5, data_format=LAST)(np.zeros((2, 5), np.float32))


@pytest.mark.parametrize("data_format", [LAST, FIRST])
@pytest.mark.parametrize(("margin", "multiple"), [(None, 1), (4, 5)])
def test_a_waveform_is_repeated_as_often_as_it_fits_and_then_padded(data_format, margin, multiple):
    layer = Chunk(23, margin, multiple, data_format, fill="repeat")
    axis = 1 if data_format == LAST else 2
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None] * 3)])
    for time in (0, 1, 2, 5, 11, 12, 22, 23, 30):
        kept = noise(time)[:, :23]
        filled = np.concatenate([kept] * (23 // len(kept[0]) if len(kept[0]) else 1), axis=1)
        n_samples = len(filled[0])
        length = 23 if margin is None else min(23, next(n for n in range(0, 99, multiple) if n >= n_samples + margin))
        expected = np.pad(filled, [(0, 0), (0, length - n_samples), (0, 0)])
        inputs = np.moveaxis(noise(time), 1, axis)
        for result in (layer(inputs), graph(inputs)):
            np.testing.assert_array_equal(np.moveaxis(result, axis, 1), expected)
        assert layer.compute_output_shape(inputs.shape) == layer(inputs).shape


@pytest.mark.parametrize("data_format", [LAST, FIRST])
def test_a_waveform_that_is_too_long_is_refused_if_it_must_not_be_cut(data_format):
    layer = Chunk(7, data_format=data_format, longer="error")
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None] * 3)])
    fits, longer = (noise(n) if data_format == LAST else noise(n).transpose(0, 2, 1) for n in (7, 8))
    np.testing.assert_array_equal(layer(fits), fits)
    np.testing.assert_array_equal(graph(fits), fits)
    message = r"must have at most n_samples=7 samples. Cut the recording into segments"
    with pytest.raises(ArgumentError, match=rf"{message}.*Received: shape=\(2, {longer.shape[1]}, "):
        layer(longer)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        graph(longer)


def test_arguments_of_later_versions_are_saved_only_if_they_are_used():
    assert not {"fill", "longer"} & Chunk(5).get_config().keys()
    assert Chunk.from_config(Chunk(5, fill="repeat", longer="error").get_config()).fill == "repeat"

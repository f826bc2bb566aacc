"""Tests of `ConcatenateFrequencyMap`."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import ConcatenateFrequencyMap


def spectrograms(*shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("bins", [1, 2, 7, 40, 1025])
def test_the_last_channel_rises_from_zero_to_one_over_the_bins(bins):
    batch = spectrograms(2, 3, bins, 2)
    result = ConcatenateFrequencyMap("channels_last")(batch).numpy()
    assert result.shape == (2, 3, bins, 3)
    np.testing.assert_array_equal(result[..., :2], batch)
    expected = np.broadcast_to(np.linspace(0, 1, bins), (2, 3, bins))
    np.testing.assert_allclose(result[..., 2], expected, rtol=1e-7)


def test_with_channels_first_the_map_is_the_last_channel():
    batch = spectrograms(2, 4, 3, 9)
    result = ConcatenateFrequencyMap("channels_first")(batch).numpy()
    assert result.shape == (2, 5, 3, 9)
    np.testing.assert_array_equal(result[:, :4], batch)
    np.testing.assert_allclose(result[:, 4], np.broadcast_to(np.linspace(0, 1, 9), (2, 3, 9)), rtol=1e-7)


def test_the_number_of_bins_may_be_unknown():
    batch = spectrograms(2, 3, 41, 1)
    layer = ConcatenateFrequencyMap()
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, None])])
    np.testing.assert_array_equal(graph(batch), layer(batch))
    assert graph.get_concrete_function().output_shapes.rank == 4


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float64"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_output_has_the_dtype_of_the_input_under_every_policy(dtype, policy):
    batch = tf.constant(spectrograms(1, 2, 6, 1, dtype=dtype))
    result = ConcatenateFrequencyMap(dtype=policy)(batch)
    assert result.dtype == dtype
    np.testing.assert_allclose(result[0, 0, :, 1], np.linspace(0, 1, 6), rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4)])
def test_any_rank_but_four_is_refused(shape):
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        ConcatenateFrequencyMap()(np.zeros(shape, np.float32))


def test_integers_and_unknown_data_formats_are_refused():
    with pytest.raises(ArgumentError, match=r"floating-point.*int32"):
        ConcatenateFrequencyMap()(np.zeros((1, 2, 3, 1), np.int32))
    with pytest.raises(ArgumentError, match="data_format=7"):
        ConcatenateFrequencyMap(7)

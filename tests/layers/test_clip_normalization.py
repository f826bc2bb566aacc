"""Tests of `ClipNormalization` against NumPy in float64."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.layers import ClipNormalization

LAST, FIRST = "channels_last", "channels_first"
FRONT_ENDS = {
    "speech-to-text": {},
    "nemo": {"ddof": 1, "std_epsilon": 1e-5},
    "seamless-m4t": {"ddof": 1, "variance_epsilon": 1e-7},
    "both epsilons": {"std_epsilon": 0.3, "variance_epsilon": 0.2},
}
front_ends = pytest.mark.parametrize("arguments", FRONT_ENDS.values(), ids=FRONT_ENDS)


def log_mels(*shape, seed=0):
    return np.random.default_rng(seed).normal(-8, 3, shape).astype(np.float32)


def reference(batch, ddof=0, std_epsilon=0.0, variance_epsilon=0.0):
    """Normalizes `[batch, frames, bins, channels]`. Constant bins become 0."""
    batch = batch.astype(np.float64)
    deviations = batch - batch.mean(axis=1, keepdims=True)
    variance = np.sum(deviations**2, axis=1, keepdims=True) / max(batch.shape[1] - ddof, 1)
    std = np.sqrt(variance + variance_epsilon) + std_epsilon
    constant = (batch == batch[:, :1]).all(axis=1, keepdims=True)
    return np.where(constant, 0, deviations / np.where(constant, 1, std))


@pytest.mark.cases(10)
@front_ends
@pytest.mark.parametrize("frames", [2, 3, 64, 65, 9000])
def test_values_equal_numpy(frames, arguments):
    batch = log_mels(2, frames, 5, 2)
    actual = ClipNormalization(**arguments, data_format=LAST)(batch).numpy()
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, reference(batch, **arguments), rtol=0, atol=2e-6)
    first = ClipNormalization(**arguments, data_format=FIRST)(np.moveaxis(batch, -1, 1)).numpy()
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), actual)


@front_ends
def test_a_float64_policy_computes_in_float64(arguments):
    batch = log_mels(2, 70, 3, 1).astype(np.float64)
    actual = ClipNormalization(**arguments, dtype="float64")(batch)
    np.testing.assert_allclose(actual, reference(batch, **arguments), rtol=0, atol=1e-14)


@front_ends
@pytest.mark.parametrize("frames", [0, 1])
def test_a_single_frame_becomes_zero_and_no_frame_stays_no_frame(frames, arguments):
    batch = log_mels(2, frames, 5, 1)
    np.testing.assert_array_equal(ClipNormalization(**arguments)(batch), np.zeros_like(batch))


@pytest.mark.cases(20)
@front_ends
@pytest.mark.parametrize("value", [0.0, 0.1, -15.942385, 1e30, 2.0**-130])
@pytest.mark.parametrize("frames", [3, 5001])
def test_a_constant_bin_becomes_exactly_zero(frames, value, arguments):
    batch = log_mels(1, frames, 3, 1)
    batch[:, :, 1] = value
    normalized = ClipNormalization(**arguments)(batch).numpy()
    assert not normalized[:, :, 1].any()
    assert normalized[:, :, [0, 2]].all()


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e6, 1e9])
@pytest.mark.parametrize("frames", [2, 100, 5000])
def test_a_huge_offset_costs_no_precision(frames, offset):
    # These values are exact in float32, also with the offset, so the deviations are those without it.
    steps = np.random.default_rng(0).integers(-50, 50, (1, frames, 4, 1)) * 2.0**10
    batch = (steps + offset).astype(np.float32)
    np.testing.assert_allclose(ClipNormalization()(batch), reference(batch), rtol=0, atol=2e-6)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e8, 1e17])
def test_tiny_and_huge_values_give_the_same_result(scale):
    batch = log_mels(1, 300, 3, 1)
    scaled = (batch * scale).astype(np.float32)
    np.testing.assert_allclose(ClipNormalization()(scaled), reference(scaled), rtol=0, atol=3e-6)


def test_a_first_frame_far_from_the_others_costs_no_precision():
    batch = log_mels(1, 500, 3, 1)
    batch[:, 0] = -1e4
    np.testing.assert_allclose(ClipNormalization()(batch), reference(batch), rtol=0, atol=1e-5)


def test_deviations_whose_squares_are_subnormal_count_as_zero():
    batch = np.zeros((1, 4, 1, 1), np.float32)
    batch[0, 1] = 2.0**-52
    assert not ClipNormalization()(batch).numpy().any()


@given(
    st.integers(1, 200), st.integers(1, 3), st.sampled_from([1, 5, 16, 80]), st.sampled_from([1, 2]), st.integers(0, 99)
)
@settings(max_examples=6, deadline=None)
def test_a_clip_has_the_same_bits_alone_and_in_a_batch(frames, clips, bins, channels, seed):
    batch = log_mels(clips, frames, bins, channels, seed=seed)
    layer = ClipNormalization(1, 1e-5)
    together = layer(batch).numpy()
    for clip in range(clips):
        np.testing.assert_array_equal(layer(batch[clip : clip + 1])[0], together[clip])
    for bin_ in range(min(bins, 2)):
        np.testing.assert_array_equal(layer(batch[:, :, bin_ : bin_ + 1])[:, :, 0], together[:, :, bin_])


@pytest.mark.parametrize("frames", [0, 5000])
def test_bits_are_equal_in_graphs_of_known_and_of_unknown_size(frames):
    batch = log_mels(1, frames, 3, 1)
    layer = ClipNormalization()
    expected = layer(batch).numpy()
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, None])])
    np.testing.assert_array_equal(unknown(batch), expected)
    np.testing.assert_array_equal(tf.function(layer)(batch), expected)


@pytest.mark.parametrize("arguments", [{}, {"ddof": 1, "std_epsilon": 1e-5}], ids=["no epsilon", "epsilon"])
@pytest.mark.parametrize("frames", [1, 2, 5000])
def test_gradients_of_constant_bins_are_finite_and_those_of_others_do_not_change(frames, arguments):
    batch, weights = log_mels(1, frames, 2, 1), log_mels(1, frames, 2, 1, seed=1)
    layer = ClipNormalization(**arguments)

    def gradient(values):
        values = tf.constant(values)
        with tf.GradientTape() as tape:
            tape.watch(values)
            result = tf.reduce_sum(layer(values) * weights)
        return tape.gradient(result, values).numpy()

    expected = gradient(batch)
    batch[:, :, 1] = 0.1
    actual = gradient(batch)
    assert np.isfinite(actual).all()
    np.testing.assert_array_equal(actual[:, :, 0], expected[:, :, 0])


def test_gradients_flow_in_a_graph_of_unknown_size_and_with_xla():
    batch, weights = tf.constant(log_mels(1, 5000, 2, 1)), log_mels(1, 5000, 2, 1, seed=1)
    layer = ClipNormalization()

    def gradient(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            result = tf.reduce_sum(layer(values) * weights)
        return tape.gradient(result, values)

    expected = gradient(batch)
    signature = [tf.TensorSpec([None, None, 2, None])]
    for compiled in (False, True):
        graph = tf.function(gradient, input_signature=signature, jit_compile=compiled)
        np.testing.assert_allclose(graph(batch), expected, rtol=0, atol=1e-5)


def test_nan_stays_in_its_bin():
    batch = log_mels(1, 10, 3, 2)
    expected = ClipNormalization()(batch).numpy()
    batch[0, 4, 1, 1] = np.nan
    actual = ClipNormalization()(batch).numpy()
    assert np.isnan(actual[:, :, 1, 1]).all()
    np.testing.assert_array_equal(actual[:, :, [0, 2]], expected[:, :, [0, 2]])
    np.testing.assert_array_equal(actual[:, :, 1, 0], expected[:, :, 1, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ddof": 2}, "ddof must be one of 0, 1. Received: ddof=2"),
        ({"ddof": True}, "ddof must be one of 0, 1. Received: ddof=True"),
        ({"std_epsilon": -1e-5}, "std_epsilon must be at least 0"),
        ({"variance_epsilon": float("nan")}, "variance_epsilon must be finite"),
        ({"std_epsilon": 1e300}, "std_epsilon must be at most 3.40282e"),
        ({"data_format": "NCHW"}, "data_format='NCHW'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ClipNormalization(**arguments)


def test_any_rank_but_four_is_refused():
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        ClipNormalization()(np.zeros((2, 5, 4), np.float32))

"""Tests of `StatisticsNormalization`: the bits of NumPy's `(x - mean) / std` in float32, eagerly and in graphs."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Logarithm, Standardize, StatisticsNormalization
from audiopipe.signal import ops

LAST, FIRST = "channels_last", "channels_first"
DRAW = np.random.default_rng(0)
MEAN, STD = DRAW.normal(-5, 9, (7, 1)), DRAW.uniform(0.1, 12, (7, 1))
ONE = MEAN[:1], STD[:1]


def spectrograms(*shape):
    return np.random.default_rng(0).normal(-5, 4, shape).astype(np.float32)


def expected(values, mean, std):
    """Returns the normalized values of `[batch, frames, bins, channels]`."""
    return (values - np.float32(mean)) / np.float32(std)


@pytest.mark.parametrize("numbers", [(MEAN, STD), ONE], ids=["of every bin", "one number"])
@pytest.mark.parametrize("shape", [[None] * 4, [None, None, 7, 1], [2, 50, 7, 1]], ids=str)
def test_a_graph_divides_as_numpy_does(numbers, shape):
    values = spectrograms(2, 50, 7, 1)
    layer = StatisticsNormalization(*numbers)
    graph = tf.function(layer, input_signature=[tf.TensorSpec(shape)])
    np.testing.assert_array_equal(graph(values), expected(values, *numbers))
    np.testing.assert_array_equal(layer(values), expected(values, *numbers))


@pytest.mark.cases(10)
@pytest.mark.parametrize(
    "numbers",
    [(MEAN, STD), ONE, ([[0.0]], [[3.0]]), ([[2.0]], [[1.0]])],
    ids=["of every bin", "one number", "only a divisor", "only a mean"],
)
@pytest.mark.parametrize(
    "before",
    [
        Logarithm("10", 10.0, floor=1e-4),
        Standardize(-4.3, 9.1),
        Standardize(0.0, 0.7),
        Standardize(-4.3, 1.0),
        StatisticsNormalization([[0.0]], [[7.0]]),
        StatisticsNormalization(MEAN, STD),
    ],
    ids=["logarithm", "affine", "product", "sum", "division", "of every bin"],
)
def test_a_graph_does_not_fold_the_step_before_or_after(before, numbers):
    layer = StatisticsNormalization(*numbers)
    values = np.abs(spectrograms(1, 50, 7, 1))
    graph = tf.function(lambda values: (layer(before(values)), layer(before(values)) * 3.1))
    feature, product = graph(values)
    eager = expected(before(values).numpy(), *numbers)
    np.testing.assert_array_equal(feature, eager)
    np.testing.assert_array_equal(product, eager * np.float32(3.1))


def test_the_mean_becomes_exactly_zero_and_a_constant_bin_stays_finite():
    values = np.full((1, 3, 1, 1), -13.8155106, np.float32)
    assert not StatisticsNormalization([[-13.8155106]], [[1e-5]])(values).numpy().any()


def test_zero_is_divided_like_any_other_value():
    found = StatisticsNormalization([[0.0]], [[3.0]])(np.float32([[[[0.0], [-0.0], [3.0]]]])).numpy().ravel()
    assert found.tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("data_format", [LAST, FIRST])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("mean", "quantities"),
    [
        (DRAW.normal(size=(7, 2)), 2),  # magnitude and phase of clips with any number of channels
        (DRAW.normal(size=(1, 2)), 2),
        (DRAW.normal(size=(7, 6)), 2),  # of clips with three channels
        (DRAW.normal(size=(1, 6)), 1),
        (DRAW.normal(size=(7, 1)), 2),
    ],
    ids=lambda value: str(np.shape(value)),
)
def test_numbers_of_a_quantity_apply_to_its_channels(mean, quantities, known, data_format):
    values = spectrograms(2, 3, 7, 6)
    times = 3 if mean.shape[1] == quantities else 1
    std = np.abs(mean) + 1
    result = expected(values, np.repeat(mean, times, 1), np.repeat(std, times, 1))
    layer = StatisticsNormalization(mean, std, quantities, data_format)
    if data_format == FIRST:
        values, result = np.moveaxis(values, -1, 1), np.moveaxis(result, -1, 1)
    signature = tf.TensorSpec(values.shape if known else [None] * 4)
    np.testing.assert_array_equal(tf.function(layer, input_signature=[signature])(values), result)


def test_a_float64_policy_computes_in_float64():
    values = spectrograms(1, 3, 7, 2).astype(np.float64)
    found = StatisticsNormalization(MEAN, STD, dtype="float64")(values)
    np.testing.assert_array_equal(found, (values - MEAN) / STD)


def test_the_numbers_in_the_config_of_the_layer_are_plain():
    config = StatisticsNormalization(MEAN.astype(np.float32), STD, 3).get_config()
    assert config["mean"] == MEAN.astype(np.float32).tolist()
    assert type(config["mean"]) is type(config["mean"][0]) is list
    assert (config["std"], config["quantities"]) == (STD.tolist(), 3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 5, 6, 2), r"with 7 bins and 2 channels, as mean and std have. Received: shape=\(1, 5, 6, 2\)"),
        ((1, 5, 7, 1), "with 7 bins and 2 channels"),
        ((1, 5, 7, 4), "with 7 bins and 2 channels"),
        ((2, 5, 7), "of rank 4"),
    ],
)
def test_another_number_of_bins_or_channels_is_refused(shape, message):
    with pytest.raises(ArgumentError, match=message):
        StatisticsNormalization(np.zeros((7, 2)), np.ones((7, 2)))(np.zeros(shape, np.float32))


def test_channels_that_are_no_multiple_of_the_quantities_are_refused():
    with pytest.raises(ArgumentError, match="any number of bins and a multiple of 2 channels"):
        StatisticsNormalization([[0.0, 1.0]], [[1.0, 1.0]], 2)(np.zeros((1, 5, 7, 3), np.float32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"std": [[0.0]]}, r"std\[0, 0\] must be at least 1.17549e-38 and at most 3.40282e\+38. Received: .*=0.0"),
        ({"std": [[-1.0]]}, "must be at least"),
        ({"mean": [[float("nan")]]}, r"mean\[0, 0\] must be"),
        ({"mean": [[1e39]]}, "at most"),
        ({"mean": [0.0]}, r"mean must be numbers \[bins, channels\]. Received: mean=\[0.0\]"),
        ({"mean": 0.0}, r"numbers \[bins, channels\]"),
        ({"mean": [[]]}, r"numbers \[bins, channels\]"),
        ({"mean": [[0.0], [0.0, 1.0]]}, r"numbers \[bins, channels\]"),
        ({"mean": [["0"]]}, r"numbers \[bins, channels\]"),
        ({"mean": [[0.0], [1.0]]}, r"same shape.*\[2, 1\] numbers in mean, \[1, 1\] in std"),
        ({"quantities": 0}, "quantities must be at least 1"),
        ({"data_format": "NCHW"}, "data_format='NCHW'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        StatisticsNormalization(**{"mean": [[0.0]], "std": [[1.0]], **arguments})


def test_a_plain_division_in_a_graph_would_have_other_bits():
    # If this test fails, graphs divide, and `ops.standardize` need not use `divide_no_nan`.
    values, std = spectrograms(1, 50, 7, 1), STD.astype(np.float32)
    graph = tf.function(lambda values: (values / tf.constant(std), ops.standardize(values, 0.0, tf.constant(std))))
    plain, exact = graph(values)
    assert (plain.numpy() != values / std).any()
    np.testing.assert_array_equal(exact, values / std)

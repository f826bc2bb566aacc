"""Tests of `Standardize` against the formula in float64."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Logarithm, Standardize

LAST, FIRST = "channels_last", "channels_first"
MEANS, STDS = np.linspace(-9, 3, 7), np.linspace(0.1, 5, 7)


def spectrograms(*shape):
    return np.random.default_rng(0).normal(-5, 4, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("mean", "std"),
    [(-4.2677393, 2 * 4.5689974), (MEANS, 2.0), (0.25, STDS.tolist()), (tuple(MEANS), STDS), (3, 1)],
    ids=["numbers", "a mean for each bin", "a std for each bin", "both for each bin", "integers"],
)
def test_values_equal_the_formula(mean, std):
    values = spectrograms(2, 3, 5, 7)
    expected = (values.astype(np.float64) - np.float32(mean)) / np.array(std)
    first = Standardize(mean, std, FIRST)(values).numpy()
    np.testing.assert_allclose(first, expected, rtol=3e-7, atol=0)
    last = Standardize(mean, std, LAST)(np.moveaxis(values, 1, -1)).numpy()
    np.testing.assert_array_equal(np.moveaxis(last, -1, 1), first)


def test_the_mean_becomes_exactly_zero():
    values = np.full((1, 3, 5, 1), -13.8155106, np.float32)
    assert not Standardize(-13.8155106, 4.0)(values).numpy().any()


def test_a_float64_policy_computes_in_float64():
    values = spectrograms(1, 3, 7, 2).astype(np.float64)
    expected = (values - MEANS[:, None]) / STDS[:, None]
    np.testing.assert_allclose(Standardize(MEANS, STDS, dtype="float64")(values), expected, rtol=1e-15)


def test_the_numbers_in_the_config_of_the_layer_are_plain():
    config = Standardize(MEANS, np.float32(0.5)).get_config()
    assert config["mean"] == MEANS.tolist()
    assert type(config["mean"]) is list
    assert config["std"] == 0.5


@pytest.mark.parametrize(
    "steps",
    [
        [Logarithm("10", 10.0, floor=1e-4), Standardize(0.0, 9.1)],
        [Standardize(-4.3, 9.1), Standardize(0.0, 0.7)],
        [Standardize(-4.3, 1.0), Standardize(2.2, 3.0)],
        [Standardize(MEANS, STDS), Standardize(0.0, STDS)],
    ],
    ids=["logarithm", "products", "sums", "a number for each bin"],
)
@pytest.mark.parametrize("shape", [None, [None, None, 7, None]], ids=["known shape", "unknown shape"])
def test_a_graph_does_not_fold_neighbouring_steps(steps, shape):
    def chain(values):
        for step in steps:
            values = step(values)
        return values

    values = np.abs(spectrograms(1, 50, 7, 1))
    graph = tf.function(chain, input_signature=shape and [tf.TensorSpec(shape)])
    np.testing.assert_array_equal(graph(values), chain(values))


def test_a_single_number_applies_to_any_unknown_number_of_bins():
    graph = tf.function(Standardize(1.0, 2.0), input_signature=[tf.TensorSpec([None, None, None, 1])])
    np.testing.assert_array_equal(graph(tf.ones([1, 2, 3, 1]) * 5), np.full([1, 2, 3, 1], 2))


def test_another_number_of_bins_is_refused():
    with pytest.raises(ArgumentError, match=r"with 7 bins, one for each number of mean.*shape=\(1, 7, 5, 1\)"):
        Standardize(MEANS, 1.0, LAST)(np.zeros((1, 7, 5, 1), np.float32))
    with pytest.raises(ArgumentError, match=r"same number of bins. Received: 7 numbers in mean, 6 in std"):
        Standardize(MEANS, STDS[1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"std": 0}, "std must be at least .*std=0"),
        ({"std": -1.0}, "std must be at least"),
        ({"std": [1.0, 0.0]}, r"std\[1\] must be at least .*std\[1\]=0.0"),
        ({"std": 1e38}, "std must be at most"),
        ({"mean": float("inf")}, "mean must be finite"),
        ({"mean": 1e39}, "mean must be at most"),
        ({"mean": [0.0, "1"]}, r"mean\[1\] must be a number"),
        ({"mean": []}, "mean must be a number or a sequence"),
        ({"mean": np.zeros((2, 2))}, r"mean\[0\] must be a number"),
        ({"mean": None}, "mean must be a number"),
        ({"data_format": "NCHW"}, "data_format='NCHW'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Standardize(**arguments)


def test_any_rank_but_four_is_refused():
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        Standardize()(np.zeros((2, 5, 4), np.float32))

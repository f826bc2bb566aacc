"""Tests of `Logarithm` against the formula in float64."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Logarithm


def powers(*shape):
    """Returns powers that span 140 dB, with zeros among them."""
    generator = np.random.default_rng(0)
    values = 10.0 ** generator.uniform(-12, 2, shape)
    values[generator.uniform(size=shape) < 0.1] = 0
    return values.astype(np.float32)


FRONT_ENDS = {
    "kaldi": ({"floor": 1.1920929e-07}, lambda x: np.log(np.maximum(x, 1.1920929e-07))),
    "nemo": ({"offset": 2.0**-24}, lambda x: np.log(x + 2.0**-24)),
    "speecht5": ({"base": "10", "floor": 1e-10}, lambda x: np.log10(np.maximum(x, 1e-10))),
    "musicnn": ({"base": "10", "factor": 1e4, "offset": 1.0}, lambda x: np.log10(1e4 * x + 1)),
    "decibels": ({"base": "10", "multiplier": 10.0, "floor": 1e-10}, lambda x: 10 * np.log10(np.maximum(x, 1e-10))),
    "all": (
        {"multiplier": -0.5, "floor": 1e-3, "factor": 7.0},
        lambda x: -0.5 * np.log(7 * np.maximum(x, 1e-3)),
    ),
}


@pytest.mark.parametrize(("arguments", "formula"), FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_values_equal_the_formula(arguments, formula):
    values = powers(3, 5, 33, 2)
    expected = formula(values.astype(np.float64))
    actual = Logarithm(**arguments)(values).numpy()
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=3e-7, atol=3e-7)


@pytest.mark.parametrize(("arguments", "formula"), FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_a_float64_policy_computes_in_float64(arguments, formula):
    values = powers(2, 5, 33).astype(np.float64)
    actual = Logarithm(**arguments, dtype="float64")(values)
    np.testing.assert_allclose(actual, formula(values), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("arguments", [{"floor": 1e-10}, {"offset": 1e-30}, {"base": "10", "offset": 1.0}])
def test_a_value_has_the_same_bits_at_every_position(arguments):
    values = powers(1, 7, 33, 1)
    layer = Logarithm(**arguments)
    together = layer(values).numpy()
    for frame in range(7):
        np.testing.assert_array_equal(layer(values[:, frame : frame + 1])[0, 0], together[0, frame])
    for bin_ in range(5):
        np.testing.assert_array_equal(layer(values[:, :, bin_:])[0, 0], together[0, 0, bin_:])


@pytest.mark.parametrize("arguments", [{"offset": 1.0}, {"base": "10", "factor": 1e4, "offset": 1.0}])
def test_a_graph_computes_the_bits_of_an_eager_call_where_it_knows_a_logarithm_of_one_plus_x(arguments):
    layer, values = Logarithm(**arguments), tf.constant(powers(1, 7, 96, 1))
    np.testing.assert_array_equal(tf.function(layer)(values), layer(values))


@pytest.mark.parametrize("arguments", [{"floor": 1e-10}, {"offset": 1e-30}, {"offset": 1.0}])
def test_subnormal_numbers_count_as_zero(arguments):
    layer = Logarithm(**arguments)
    subnormal = np.full((1, 16), 2.0**-127, np.float32)
    np.testing.assert_array_equal(layer(subnormal), layer(np.zeros_like(subnormal)))


def test_the_gradient_is_zero_below_the_floor_and_finite_at_zero_with_an_offset():
    values = tf.constant([0.0, 0.01, 0.5])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(values)
        with_floor = Logarithm(floor=0.1)(values)
        with_offset = Logarithm(offset=0.5)(values)
    np.testing.assert_allclose(tape.gradient(with_floor, values), [0, 0, 2], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(with_offset, values), [2, 1 / 0.51, 1], rtol=1e-6)


def test_a_clip_without_frames_stays_without_frames():
    assert Logarithm(floor=1e-10)(np.zeros((2, 0, 33, 1), np.float32)).shape == (2, 0, 33, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either a floor or an offset.*floor=None, offset=0.0"),
        ({"floor": 1e-10, "offset": 1.0}, "either a floor or an offset.*floor=1e-10, offset=1.0"),
        ({"floor": 0.0}, "floor must be at least .*floor=0.0"),
        ({"floor": float("nan")}, "floor must be finite"),
        ({"offset": -1.0}, "offset must be at least 0"),
        ({"offset": 1e-40}, "offset must be 0 or at least 1e-30. Received: offset=1e-40"),
        ({"base": "2", "floor": 1.0}, "base must be one of 'e', '10'"),
        ({"base": 10, "floor": 1.0}, "base must be one of 'e', '10'"),
        ({"multiplier": 0, "floor": 1.0}, "multiplier must be other than 0"),
        ({"factor": 0, "floor": 1.0}, "factor must be at least"),
        ({"factor": True, "floor": 1.0}, "factor must be a number"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Logarithm(**arguments)


def test_integers_and_complex_values_are_refused():
    for dtype in ("int32", "complex64"):
        with pytest.raises(ArgumentError, match=f"floating-point.*{dtype}"):
            Logarithm(floor=1e-10)(np.zeros((1, 5, 4, 1), dtype))

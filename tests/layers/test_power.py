"""Tests of `Power`: values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Power


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1, 1.5, 2, 2.7, 3, 4])
def test_powers_equal_those_of_float64(exponent):
    values = np.geomspace(1e-6, 1e6, 1001).astype(np.float32)
    powers = Power(exponent)(values).numpy()
    assert powers.dtype == np.float32
    np.testing.assert_allclose(powers, values.astype(np.float64) ** exponent, rtol=2e-6)


@pytest.mark.parametrize("exponent", [0.1, 0.5, 1, 1.5, 2, 3])
def test_silence_stays_silence_and_has_finite_gradients(exponent):
    values = tf.constant([0.0, 2.0**-140, 2.0**-126, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        powers = Power(exponent)(values)
    gradient = tape.gradient(powers, values).numpy()
    assert powers.numpy()[0] == 0
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[3], exponent, rtol=1e-6)


def test_nan_does_not_spread_to_other_values():
    values = np.ones(20, np.float32)
    values[3] = np.nan
    powers = Power(1.5)(values).numpy()
    assert np.flatnonzero(powers != 1).tolist() == [3]


@pytest.mark.parametrize("exponent", [0, -1.0, float("nan"), "2", None, True])
def test_invalid_exponents_are_refused(exponent):
    with pytest.raises(ArgumentError, match=f"exponent must be .*Received: exponent={exponent!r}"):
        Power(exponent)

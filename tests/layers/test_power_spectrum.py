"""Tests of `PowerSpectrum`: values, gradients, very small and large values."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Magnitude, Power, PowerSpectrum
from audiopipe.signal.real_arithmetic import ComplexParts


def spectrogram(dtype=np.complex64):
    noise = np.random.default_rng(0)
    return (noise.standard_normal((2, 3, 5, 1)) + 1j * noise.standard_normal((2, 3, 5, 1))).astype(dtype)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_powers_equal_the_sum_of_squares(dtype):
    values = spectrogram(dtype)
    powers = PowerSpectrum()(values).numpy()
    assert powers.dtype == values.real.dtype
    wide = values.astype(np.complex128)
    np.testing.assert_allclose(powers, wide.real**2 + wide.imag**2, rtol=2 * np.finfo(dtype).eps)
    two_layers = Power(2.0, dtype=powers.dtype.name)(Magnitude()(values))
    np.testing.assert_allclose(two_layers, powers, rtol=4 * np.finfo(dtype).eps)


def test_quiet_values_become_zero_before_their_squares_are_subnormal():
    values = np.array([2.0**-51, 2.0**-50, 2.0**-37, 2.0**63, 2.0**64], np.complex64)
    np.testing.assert_array_equal(PowerSpectrum()(values), [0, 0, 2.0**-74, 2.0**126, np.inf])


def test_the_gradient_is_twice_the_value():
    values = tf.constant(np.concatenate([spectrogram(), np.zeros((2, 3, 5, 1))], axis=2).astype(np.complex64))
    with tf.GradientTape() as tape:
        tape.watch(values)
        powers = PowerSpectrum()(values)
    np.testing.assert_array_equal(tape.gradient(powers, values), 2 * values)


def test_separate_real_and_imaginary_parts_give_the_same_values():
    values = spectrogram()
    parts = ComplexParts(tf.constant(values.real), tf.constant(values.imag))
    np.testing.assert_allclose(PowerSpectrum().call_real(parts), PowerSpectrum()(values), rtol=1e-6)


def test_real_values_are_refused():
    with pytest.raises(ArgumentError, match=r"must be complex.*float32.*after an STFT"):
        PowerSpectrum()(np.ones((1, 2, 3, 1), np.float32))

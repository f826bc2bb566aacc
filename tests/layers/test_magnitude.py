"""Tests of `Magnitude`: values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Magnitude
from audiopipe.signal.real_arithmetic import ComplexParts


def spectrogram(dtype=np.complex64):
    noise = np.random.default_rng(0)
    return (noise.standard_normal((2, 3, 5, 1)) + 1j * noise.standard_normal((2, 3, 5, 1))).astype(dtype)


@pytest.mark.parametrize(
    ("complex_dtype", "real_dtype", "tolerance"), [("complex64", "float32", 1e-6), ("complex128", "float64", 1e-15)]
)
def test_magnitude_equals_the_root_of_the_sum_of_squares(complex_dtype, real_dtype, tolerance):
    values = spectrogram(complex_dtype)
    magnitudes = Magnitude()(values).numpy()
    assert magnitudes.dtype == real_dtype
    wide = values.astype(np.complex128)
    np.testing.assert_allclose(magnitudes, np.sqrt(wide.real**2 + wide.imag**2), rtol=tolerance)


def test_the_gradient_at_silence_is_zero():
    values = tf.zeros([1, 2, 3, 1], tf.complex64)
    with tf.GradientTape() as tape:
        tape.watch(values)
        magnitudes = Magnitude()(values)
    np.testing.assert_array_equal(tape.gradient(magnitudes, values), np.zeros([1, 2, 3, 1]))


def test_the_gradient_of_other_values_points_along_the_value():
    values = tf.constant(spectrogram())
    with tf.GradientTape() as tape:
        tape.watch(values)
        magnitudes = Magnitude()(values)
    expected = values.numpy() / np.abs(values.numpy())
    np.testing.assert_allclose(tape.gradient(magnitudes, values), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_real_values_are_refused(dtype):
    with pytest.raises(ArgumentError, match=f"must be complex.*{dtype}.*after an STFT"):
        Magnitude()(np.ones((1, 2, 3, 1), dtype))


def test_an_offset_is_added_under_the_root_and_keeps_the_gradient_finite():
    values = np.concatenate([1e-4 * spectrogram(), np.zeros((2, 3, 5, 1))], axis=2).astype(np.complex64)
    wide = values.astype(np.complex128)
    expected = np.sqrt(wide.real**2 + wide.imag**2 + 1e-9)
    tensor = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        magnitudes = Magnitude(1e-9)(tensor)
    np.testing.assert_allclose(magnitudes, expected, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(magnitudes, tensor), wide / expected, rtol=1e-5, atol=1e-9)
    parts = ComplexParts(tf.constant(values.real), tf.constant(values.imag))
    np.testing.assert_allclose(Magnitude(1e-9).call_real(parts), expected, rtol=1e-6)


def test_an_offset_is_saved_only_if_there_is_one():
    assert "offset" not in Magnitude().get_config()
    assert Magnitude(1e-9).get_config()["offset"] == 1e-9


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        (-1e-9, "offset must be at least 0. Received: offset=-1e-09"),
        (1e-40, "offset must be 0 or at least 1.17549e-38. Received: offset=1e-40"),
        (None, "offset must be a number. Received: offset=None"),
    ],
)
def test_an_invalid_offset_is_refused(offset, message):
    with pytest.raises(ArgumentError, match=message):
        Magnitude(offset)

"""Tests of `Magnitude`: values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Magnitude


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

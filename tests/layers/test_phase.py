"""Tests of `Phase`: values, gradients and silence."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import Phase
from audiopipe.signal.real_arithmetic import ComplexParts


def spectrogram(dtype=np.complex64, shape=(2, 3, 1025, 1)):
    noise = np.random.default_rng(0)
    return (noise.standard_normal(shape) + 1j * noise.standard_normal(shape)).astype(dtype)


def gradient_of_phase(values):
    values = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        phases = Phase()(values)
    return tape.gradient(phases, values).numpy()


@pytest.mark.parametrize("loudness", [1e-15, 1.0, 1e15])
@pytest.mark.parametrize(
    ("complex_dtype", "real_dtype", "tolerance"), [("complex64", "float32", 1e-6), ("complex128", "float64", 1e-15)]
)
def test_phase_equals_numpy(complex_dtype, real_dtype, tolerance, loudness):
    values = (spectrogram() * loudness).astype(complex_dtype)
    phases = Phase()(values).numpy()
    assert phases.dtype == real_dtype
    np.testing.assert_allclose(phases, np.angle(values.astype(np.complex128)), rtol=tolerance)


def test_phase_on_the_axes_is_a_multiple_of_a_quarter_turn():
    values = np.array([1, 1j, -1, -1j], np.complex64)
    np.testing.assert_array_equal(Phase()(values), np.float32([0, np.pi / 2, np.pi, -np.pi / 2]))


SILENCE = np.array([0, complex(-0.0, 0), complex(-0.0, -0.0), complex(1e-45, -1e-45), 1e-30j], np.complex64)


def test_phase_and_gradient_are_zero_at_silence():
    np.testing.assert_array_equal(Phase()(SILENCE), np.zeros(5, np.float32))
    np.testing.assert_array_equal(gradient_of_phase(SILENCE), np.zeros(5, np.complex64))


def test_the_gradient_of_other_values_is_perpendicular_to_the_value():
    values = spectrogram()
    np.testing.assert_allclose(gradient_of_phase(values), 1j * values / np.abs(values) ** 2, rtol=1e-5)


def test_nan_stays_nan():
    assert np.isnan(Phase()(np.array([complex(np.nan, 0), complex(0, np.nan)], np.complex64))).all()


@pytest.mark.parametrize("size", [1, 15, 17, 1025])
def test_bits_do_not_depend_on_the_position_in_memory(size):
    values = spectrogram(shape=(size,))
    phases = Phase()(values).numpy()
    for shift in range(1, min(size, 20)):
        np.testing.assert_array_equal(Phase()(np.roll(values, shift)), np.roll(phases, shift))
    np.testing.assert_array_equal(tf.function(Phase())(values), phases)


def test_separate_real_and_imaginary_parts_give_the_same_phase():
    values = np.concatenate([spectrogram().ravel(), SILENCE])
    parts = ComplexParts(tf.constant(values.real), tf.constant(values.imag))
    np.testing.assert_allclose(Phase().call_real(parts), Phase()(values), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_real_values_are_refused(dtype):
    with pytest.raises(ArgumentError, match=f"must be complex.*{dtype}.*after an STFT"):
        Phase()(np.ones((1, 2, 3, 1), dtype))

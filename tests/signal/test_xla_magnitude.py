"""Magnitudes and powers compiled by XLA: only for large tensors, and only with the bits of TensorFlow's operations."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.signal import ops
from audiopipe.signal.ops import xla_magnitude


@pytest.fixture
def fresh_check():
    """Clears the cached result of `agrees` before and after the test."""
    xla_magnitude.agrees.cache_clear()
    yield
    xla_magnitude.agrees.cache_clear()


def spectrogram(shape, seed=0):
    draw = np.random.default_rng(seed)
    parts = (draw.standard_normal((2, *shape)) * 10.0 ** draw.integers(-12, 4, (2, *shape))).astype(np.float32)
    return parts[0] + 1j * parts[1]


def is_compiled(graph):
    """Returns whether XLA compiles any part of a graph or of the functions that it calls."""
    return any("_XlaMustCompile" in function.attr for function in graph.graph.as_graph_def().library.function)


def magnitudes(shape, dtype=tf.complex64, function=ops.magnitude):
    return tf.function(function).get_concrete_function(tf.TensorSpec(shape, dtype))


@pytest.fixture
def equal_bits():
    """Skips a test of compiled graphs where none is compiled, as with TensorFlow 2.20."""
    if not xla_magnitude.agrees():
        pytest.skip("XLA gives other bits with this TensorFlow")


@pytest.mark.cases(2)
@pytest.mark.usefixtures("equal_bits")
@pytest.mark.parametrize("shape", [(1, 1000, 201, 1), (2, 131, 1025), (131101,), (3, 257, 3, 129)])
def test_compiled_magnitudes_have_the_bits_of_operations(shape):
    graph, values = magnitudes(shape), spectrogram(shape)
    assert is_compiled(graph)
    np.testing.assert_array_equal(graph(tf.constant(values)), ops.magnitude(values))


@pytest.mark.usefixtures("equal_bits")
def test_compiled_powers_have_the_bits_of_operations():
    values = spectrogram((1, 1000, 201, 1))
    graph = magnitudes(values.shape, function=ops.power_spectrum)
    assert is_compiled(graph)
    np.testing.assert_array_equal(graph(tf.constant(values)), ops.power_spectrum(values))


def test_compiled_magnitudes_equal_float64():
    values = spectrogram((2, 131, 1025))
    np.testing.assert_allclose(
        magnitudes(values.shape)(tf.constant(values)), np.abs(values.astype(np.complex128)), rtol=3e-7, atol=1e-14
    )


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((10, 201), tf.complex64), ((None, 131, 1025), tf.complex64), ((2, 131, 1025), tf.complex128)],
    ids=["few values", "an unknown size", "double precision"],
)
def test_small_dynamic_and_double_precision_tensors_are_not_compiled(shape, dtype):
    assert not is_compiled(magnitudes(shape, dtype))


def without_xla(values):
    raise tf.errors.UnimplementedError(None, None, "Could not find compiler for platform Host")


def rounded_differently(values):
    return tf.abs(values)


@pytest.mark.parametrize("magnitude", [without_xla, rounded_differently])
def test_nothing_is_compiled_if_xla_is_absent_or_rounds_differently(magnitude, monkeypatch, fresh_check):
    monkeypatch.setattr(xla_magnitude, "magnitude", magnitude)
    values = spectrogram((2, 131, 1025))
    graph = magnitudes(values.shape)
    assert not is_compiled(graph)
    np.testing.assert_array_equal(graph(tf.constant(values)), ops.magnitude(values))


def test_the_trial_values_distinguish_a_fused_multiply_add_from_two_roundings():
    trials = xla_magnitude._trials().numpy()
    with np.errstate(all="ignore"):
        fused = np.square(trials.real.astype(np.float64)) + np.square(trials.imag).astype(np.float64)
        twice = np.square(trials.real) + np.square(trials.imag)
        differ = np.sqrt(fused.astype(np.float32)) != np.sqrt(twice)
    assert differ[(twice > 1e-20) & (twice < 1e20)].mean() > 0.01


@pytest.mark.usefixtures("equal_bits")
def test_the_gradient_of_compiled_magnitudes_equals_that_of_operations_and_is_zero_at_silence():
    values = spectrogram((2, 131, 1025))
    values[0, :7] = 0

    def gradient(samples):
        with tf.GradientTape() as tape:
            tape.watch(samples)
            total = tf.reduce_sum(ops.magnitude(samples))
        return tape.gradient(total, samples)

    graph = tf.function(gradient).get_concrete_function(tf.TensorSpec(values.shape, tf.complex64))
    assert is_compiled(graph)
    found = graph(tf.constant(values)).numpy()
    np.testing.assert_array_equal(found, gradient(tf.constant(values)))
    assert (found[0, :7] == 0).all()
    assert np.abs(found[1]).max() > 0.9

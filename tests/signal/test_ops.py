"""Tensor operations: values against NumPy, and bits that depend on the value alone."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.audio import conversion
from audiopipe.signal import ops

graph_of_known_channels = tf.function(ops.mix_down)
graph_of_magnitude = tf.function(ops.magnitude, input_signature=[tf.TensorSpec([None], tf.complex64)])
graph_of_unknown_channels = tf.function(ops.mix_down, input_signature=[tf.TensorSpec([None, None])])


def random_values(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
def test_log10_equals_numpy(dtype, tolerance):
    values = np.geomspace(1e-30, 1e30, 1001).astype(dtype)
    logarithms = ops.log10(values, factor=10).numpy()
    assert logarithms.dtype == dtype
    np.testing.assert_allclose(logarithms, 10 * np.log10(values.astype(np.float64)), rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-7), (np.float64, 1e-15)])
@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_log_equals_numpy(dtype, tolerance, factor):
    values = np.geomspace(1e-30, 1e30, 1001).astype(dtype)
    logarithms = ops.log(values, factor).numpy()
    assert logarithms.dtype == dtype
    np.testing.assert_allclose(logarithms, factor * np.log(values.astype(np.float64)), rtol=tolerance, atol=1e-9)


@given(st.floats(2**-100, 2**100, width=32), st.integers(1, 70), st.integers(0, 69), st.sampled_from([1.0, 10.0]))
@settings(max_examples=60, deadline=None)
def test_log10_has_the_same_bits_at_every_position(value, size, place, factor):
    values = np.full(size, 0.3, np.float32)
    values[place % size] = value
    alone = ops.log10(np.float32([value]), factor).numpy()[0]
    assert ops.log10(values, factor).numpy()[place % size] == alone


@pytest.mark.parametrize("size", [1, 15, 17, 84, 1025])
def test_log10_has_the_same_bits_in_every_rotation(size):
    values = np.abs(random_values(size)) + np.float32(1e-5)
    logarithms = ops.log10(values).numpy()
    for shift in range(1, min(size, 40)):
        assert np.array_equal(ops.log10(np.roll(values, shift)).numpy(), np.roll(logarithms, shift))


def test_log10_has_the_same_bits_in_a_graph():
    values = np.abs(random_values([3, 7, 5])) + np.float32(1e-5)
    graph = tf.function(lambda x: ops.log10(x, 10), input_signature=[tf.TensorSpec([None, None, 5])])
    assert np.array_equal(graph(values), ops.log10(values, 10))


def test_log10_keeps_the_shape_of_an_empty_tensor():
    assert ops.log10(np.zeros([2, 0, 3], np.float32)).shape == (2, 0, 3)


def test_the_gradient_of_log10_equals_the_formula():
    values = tf.constant([0.5, 1.0, 20.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        logarithms = ops.log10(values, factor=10)
    np.testing.assert_allclose(tape.gradient(logarithms, values), 10 / np.log(10) / values.numpy(), rtol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("name", ["log1p", "expm1"])
def test_log1p_and_expm1_equal_numpy_and_have_the_same_bits_in_every_rotation(name, dtype, tolerance):
    values = np.geomspace(1e-30, 80, 1001).astype(dtype)
    results = getattr(ops, name)(values).numpy()
    assert results.dtype == dtype
    np.testing.assert_allclose(results, getattr(np, name)(values.astype(np.float64)), rtol=tolerance)
    for shift in range(1, 20):
        assert np.array_equal(getattr(ops, name)(np.roll(values, shift)), np.roll(results, shift))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_combine_bins_multiplies_the_bins_of_every_channel(data_format):
    spectrogram, matrix = random_values([2, 3, 5, 9]), random_values([9, 4], seed=1)
    expected = spectrogram.astype(np.float64) @ matrix.astype(np.float64)
    if data_format == "channels_last":
        spectrogram, expected = np.moveaxis(spectrogram, 1, -1), np.moveaxis(expected, 1, -1)
    actual = ops.combine_bins(spectrogram, tf.constant(matrix), data_format)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 10, 127, 2205])
def test_pairwise_sum_has_the_same_bits_for_every_rank_axis_and_in_graphs(size):
    values = random_values([6, size])
    sums = ops.pairwise_sum(values).numpy()
    wide = values.astype(np.float64)
    np.testing.assert_allclose(sums, wide.sum(axis=1), rtol=0, atol=3e-7 * np.abs(wide).sum(axis=1).max())
    assert np.array_equal(ops.pairwise_sum(values.reshape(2, 3, size)), sums.reshape(2, 3))
    assert np.array_equal(ops.pairwise_sum(values[2]), sums[2])
    assert np.array_equal(ops.pairwise_sum(values.T.copy(), axis=0), sums)
    assert np.array_equal(tf.function(ops.pairwise_sum)(tf.constant(values)), sums)


graph_of_ordered_sum = tf.function(
    lambda values: ops.ordered_sum(values, 1), input_signature=[tf.TensorSpec([None, None, None])]
)


@given(st.integers(0, 300) | st.sampled_from([4095, 4096, 4097, 9000]), st.integers(1, 4), st.integers(0, 5000))
@settings(max_examples=15, deadline=None)
def test_ordered_sum_has_the_same_bits_with_zeros_at_the_end_alone_and_in_graphs(size, bins, zeros):
    values = random_values([2, size, bins])
    sums = ops.ordered_sum(values, 1).numpy()
    wide = values.astype(np.float64)
    np.testing.assert_allclose(sums, wide.sum(axis=1, keepdims=True), rtol=0, atol=1e-6 * max(1, size) ** 0.5)
    longer = np.concatenate([values, np.zeros([2, zeros, bins], np.float32)], axis=1)
    assert np.array_equal(ops.ordered_sum(longer, 1), sums)
    assert np.array_equal(ops.ordered_sum(values[1:], 1), sums[1:])
    assert np.array_equal(ops.ordered_sum(values.transpose(0, 2, 1), 2), sums.transpose(0, 2, 1))
    assert np.array_equal(graph_of_ordered_sum(values), sums)


@pytest.mark.parametrize(("n_freq", "n_bins"), [(1025, 84), (257, 80), (201, 33), (5, 1)])
def test_apply_filterbank_has_the_same_bits_for_every_rank_and_a_single_frame(n_freq, n_bins):
    frames = np.abs(random_values([6, n_freq]))
    filterbank = np.abs(random_values([n_freq, n_bins], seed=1))
    bands = ops.apply_filterbank(frames, filterbank).numpy()
    for shape in ([1, 6], [6, 1], [2, 3], [1, 1, 6], [2, 1, 3], [6, 1, 1]):
        reshaped = ops.apply_filterbank(frames.reshape([*shape, n_freq]), filterbank).numpy()
        assert np.array_equal(reshaped, bands.reshape([*shape, n_bins])), shape
    for index in range(6):
        assert np.array_equal(ops.apply_filterbank(frames[index : index + 1], filterbank)[0], bands[index])


def test_apply_filterbank_equals_the_product_in_float64():
    frames, filterbank = random_values([2, 3, 4, 129]), random_values([129, 20], seed=1)
    expected = frames.astype(np.float64) @ filterbank.astype(np.float64)
    np.testing.assert_allclose(ops.apply_filterbank(frames, filterbank), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.complex64, 2e-7), (np.complex128, 4e-16)])
def test_magnitudes_from_229_decibels_below_full_scale_to_373_above_equal_numpy_hypot(dtype, tolerance):
    lengths = np.geomspace(2.0**-38, 2.0**62, 1001)
    values = (lengths * np.exp(1j * np.linspace(0, 50, 1001))).astype(dtype)
    wide = values.astype(np.complex256)
    np.testing.assert_allclose(ops.magnitude(values), np.hypot(wide.real, wide.imag).astype(float), rtol=tolerance)


@pytest.mark.parametrize(("dtype", "smallest"), [(np.complex64, 2.0**-50), (np.complex128, 2.0**-498)])
def test_inaudible_magnitudes_are_zero_and_those_of_infinite_values_are_not_finite(dtype, smallest):
    quiet = np.array([0, smallest, -1j * smallest, smallest * (0.7 - 0.7j), smallest / 2**20], dtype)
    np.testing.assert_array_equal(ops.magnitude(quiet), 0)
    assert ops.magnitude(np.array([2 * smallest], dtype)).numpy()[0] > smallest
    assert not np.isfinite(ops.magnitude(np.array([np.inf, -1j * np.inf, np.nan, complex(0, np.nan)], dtype))).any()


@given(st.floats(2.0**-70, 2.0**60, width=32), st.floats(0, 7), st.integers(1, 70), st.integers(0, 69))
@settings(max_examples=60, deadline=None)
def test_a_magnitude_has_the_same_bits_at_every_position_in_graphs_and_in_threads_of_tf_data(
    length, angle, size, place
):
    values = np.full(size, 0.3 + 0.4j, np.complex64)
    values[place % size] = length * np.exp(1j * angle)
    alone = ops.magnitude(values[place % size : place % size + 1]).numpy()[0]
    assert ops.magnitude(values).numpy()[place % size] == alone
    assert graph_of_magnitude(values).numpy()[place % size] == alone
    (in_thread,) = tf.data.Dataset.from_tensors(values).map(ops.magnitude)
    assert in_thread.numpy()[place % size] == alone


def test_first_and_second_gradients_of_magnitudes_are_finite():
    values = tf.constant(np.array([0, 1e-30, 3 + 4j, 1e18j], np.complex64))
    with tf.GradientTape() as outer:
        outer.watch(values)
        with tf.GradientTape() as tape:
            tape.watch(values)
            magnitudes = ops.magnitude(values)
        gradient = tape.gradient(magnitudes, values)
        total = tf.reduce_sum(tf.math.real(gradient))
    np.testing.assert_allclose(gradient, [0, 0, 0.6 + 0.8j, 1j], rtol=1e-6)
    assert np.isfinite(outer.gradient(total, values)).all()


@given(st.integers(1, 64), st.integers(1, 40), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_mix_down_has_the_same_bits_in_numpy_eagerly_and_in_graphs(channels, time, seed):
    waveform = random_values([time, channels], seed)
    mixed = conversion.mix_down(waveform)
    assert np.array_equal(ops.mix_down(tf.constant(waveform)), mixed)
    assert np.array_equal(graph_of_known_channels(tf.constant(waveform)), mixed)
    assert np.array_equal(graph_of_unknown_channels(waveform), mixed)


@pytest.mark.parametrize("scale", [2.0**-63, 2.0**-64, 3e-38, 1e-39])
def test_mix_down_has_the_same_bits_in_numpy_and_tensorflow_down_to_subnormal_samples(scale):
    waveform = random_values([200, 3]) * np.float32(scale)
    mixed = conversion.mix_down(waveform)
    assert np.array_equal(ops.mix_down(tf.constant(waveform)), mixed)
    assert np.array_equal(graph_of_unknown_channels(waveform), mixed)
    (in_thread,) = tf.data.Dataset.from_tensors(waveform).map(
        lambda samples: tf.numpy_function(conversion.mix_down, [samples], tf.float32)
    )
    assert np.array_equal(in_thread, mixed)
    audible = np.where(np.abs(waveform) < 2.0**-63, 0, waveform.astype(np.float64))
    np.testing.assert_allclose(mixed, audible.mean(axis=1, keepdims=True), rtol=0, atol=1e-6 * scale)


def test_mix_down_does_not_change_one_channel_even_if_it_is_inaudible():
    quiet = random_values([50, 1]) * np.float32(1e-30)
    assert np.array_equal(ops.mix_down(quiet), quiet)
    assert np.array_equal(conversion.mix_down(quiet), quiet)


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_mix_down_is_the_mean_over_the_channels(channels):
    waveform = random_values([50, channels])
    expected = waveform.astype(np.float64).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(ops.mix_down(waveform), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("length", "frame_length", "hop_length", "pad_end", "starts"),
    [(10, 4, 3, False, [0, 3, 6]), (10, 4, 3, True, [0, 3, 6, 9]), (3, 4, 3, False, []), (3, 4, 3, True, [0])],
)
def test_frames_are_slices_of_the_waveform(length, frame_length, hop_length, pad_end, starts):
    waveform = np.arange(1, length + 1, dtype=np.float32)
    padded = np.concatenate([waveform, np.zeros(frame_length, np.float32)])
    expected = np.array([padded[start : start + frame_length] for start in starts]).reshape([-1, frame_length])
    np.testing.assert_array_equal(ops.frame(waveform, frame_length, hop_length, pad_end), expected)


@pytest.mark.cases(10)
@pytest.mark.parametrize("length", [0, 399, 400, 401, 4000])
@pytest.mark.parametrize(("frame_length", "hop_length"), [(400, 160), (400, 400), (400, 401), (400, 800), (397, 100)])
@pytest.mark.parametrize("is_known", [True, False], ids=["known length", "unknown length"])
def test_frames_of_one_clip_are_those_of_tf_signal(length, frame_length, hop_length, is_known):
    waveform = np.arange(1, length + 1, dtype=np.float32)[None, None]
    frame = tf.function(lambda clip: ops.frame(clip, frame_length, hop_length, pad_end=False))
    spec = tf.TensorSpec([1, 1, length if is_known else None])
    frames = frame.get_concrete_function(spec)(tf.constant(waveform))
    assert np.array_equal(frames, tf.signal.frame(waveform, frame_length, hop_length))


def test_the_gradient_of_frames_counts_the_frames_of_each_sample():
    waveform = tf.ones([1, 1, 12])
    with tf.GradientTape() as tape:
        tape.watch(waveform)
        total = tf.reduce_sum(ops.frame(waveform, 6, 2, pad_end=False))
    assert tape.gradient(total, waveform).numpy().ravel().tolist() == [1, 1, 2, 2, 3, 3, 3, 3, 2, 2, 1, 1]


@given(st.floats(2**-60, 2**40, width=32), st.integers(1, 70), st.integers(0, 69), st.sampled_from([0.3, 1.5, 2.7]))
@settings(max_examples=60, deadline=None)
def test_power_has_the_same_bits_at_every_position(value, size, place, exponent):
    values = np.full(size, 0.3, np.float32)
    values[place % size] = value
    alone = ops.power(tf.constant([np.float32(value)]), exponent).numpy()[0]
    assert ops.power(tf.constant(values), exponent).numpy()[place % size] == alone


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0, 1.5, 2.0, 2.7, 3.0, 4.0])
def test_power_has_the_same_bits_in_a_graph_that_rewrites_powers(exponent):
    values = np.abs(random_values([3, 7, 5]))
    graph = tf.function(lambda x: ops.power(x, exponent), input_signature=[tf.TensorSpec([None, None, 5])])
    assert np.array_equal(graph(values), ops.power(tf.constant(values), exponent))
    np.testing.assert_allclose(graph(values), values.astype(np.float64) ** exponent, rtol=2e-6)


@pytest.mark.parametrize("coefficient", [0.0, 0.3, 0.5, 0.9, 0.97])
def test_emphasis_equals_numpy(coefficient):
    values, previous = random_values([2, 1000])
    emphasized = ops.emphasize(tf.constant(values), tf.constant(previous), coefficient)
    expected = values.astype(np.float64) - coefficient * previous.astype(np.float64)
    np.testing.assert_allclose(emphasized, expected, rtol=0, atol=5e-7)
    graph = tf.function(ops.emphasize)
    np.testing.assert_array_equal(graph(tf.constant(values), tf.constant(previous), coefficient), emphasized)


def test_emphasis_of_a_slow_wave_is_precise_though_little_remains():
    wave = (0.9 * np.sin(np.arange(1000) / 40)).astype(np.float32)
    emphasized = ops.emphasize(tf.constant(wave[1:]), tf.constant(wave[:-1]), 0.97)
    expected = wave[1:].astype(np.float64) - 0.97 * wave[:-1].astype(np.float64)
    # A unit in the last place of what remains, not of the wave, which is 25 times as loud.
    np.testing.assert_allclose(emphasized, expected, rtol=0, atol=2.0**-23 * np.abs(expected).max())

"""Tests of `MuLawEncoding` and `MuLawDecoding` against the formulas in float64."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import MuLawDecoding, MuLawEncoding

NUMBERS = [2, 3, 16, 255, 256, 1024, 65536]
every_number = pytest.mark.parametrize("number", NUMBERS)


def compressed(waveform, number):
    """Computes the codes before they are rounded to the nearest integer."""
    waveform = np.clip(waveform.astype(np.float64), -1, 1)
    mu = number - 1
    return (np.sign(waveform) * np.log1p(mu * np.abs(waveform)) / np.log1p(mu) + 1) / 2 * mu


def expanded(codes, number):
    mu = number - 1
    signal = 2 * codes.astype(np.float64) / mu - 1
    return np.sign(signal) * ((1 + mu) ** np.abs(signal) - 1) / mu


@pytest.fixture(scope="module")
def waveform():
    """Returns loud and quiet samples, some beyond full scale."""
    noise = np.random.default_rng(0).standard_normal((2, 4000, 2))
    return (noise * np.geomspace(1e-6, 1, 4000)[:, None]).astype(np.float32)


@every_number
def test_a_code_is_the_nearest_integer_to_the_formula(waveform, number):
    codes = MuLawEncoding(number)(waveform).numpy()
    assert codes.dtype == np.int32
    exact = compressed(waveform, number)
    error = np.abs(codes - exact)
    assert error.max() <= 0.5 + 1e-6 * number
    unambiguous = error < 0.5 - 1e-6 * number  # the others are between two codes, up to rounding in float32
    assert unambiguous.mean() > 0.5
    np.testing.assert_array_equal(codes[unambiguous], np.floor(exact[unambiguous] + 0.5))


def test_samples_beyond_full_scale_are_clipped_unlike_kapre():
    beyond = tf.constant([-np.inf, -7.0, -1.0001, -1.0, 1.0, 1.0001, 7.0, np.inf])
    for number in NUMBERS:
        top = number - 1
        np.testing.assert_array_equal(MuLawEncoding(number)(beyond), [0, 0, 0, 0, top, top, top, top])


def test_nan_gets_the_code_of_silence():
    np.testing.assert_array_equal(MuLawEncoding(256)(tf.constant([np.nan, 0.0, -0.0])), [128, 128, 128])


@every_number
def test_decoding_equals_the_formula(number):
    codes = np.unique(np.linspace(0, number - 1, 3000).astype(np.int32))
    samples = MuLawDecoding(number)(codes).numpy()
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, expanded(codes, number), rtol=2e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_codes_of_every_dtype_are_decoded_to_the_same_samples(dtype):
    codes = np.arange(256)
    expected = MuLawDecoding(256)(tf.constant(codes, tf.int32))
    np.testing.assert_array_equal(MuLawDecoding(256)(tf.constant(codes, dtype)), expected)


def test_codes_out_of_range_are_clipped():
    samples = MuLawDecoding(256)(tf.constant([-3, 0, 255, 1000])).numpy()
    np.testing.assert_allclose(samples, [-1, -1, 1, 1], rtol=1e-6)


@every_number
def test_decoding_and_encoding_a_code_gives_the_same_code(number):
    codes = np.arange(number, dtype=np.int32)
    np.testing.assert_array_equal(MuLawEncoding(number)(MuLawDecoding(number)(codes)), codes)


@every_number
def test_encoding_and_decoding_changes_a_sample_by_at_most_one_step(waveform, number):
    waveform = np.clip(waveform, -1, 1)
    codes = MuLawEncoding(number)(waveform).numpy()
    decoded = MuLawDecoding(number)(codes).numpy()
    up = expanded(codes + 1, number) - expanded(codes, number)
    down = expanded(codes, number) - expanded(codes - 1, number)
    assert (np.abs(decoded - waveform) <= np.maximum(up, down)).all()
    assert (waveform <= expanded(codes + 0.5, number) + 1e-6).all()
    assert (waveform >= expanded(codes - 0.5, number) - 1e-6).all()


@pytest.mark.parametrize("size", [1, 15, 17, 333])
def test_bits_do_not_depend_on_the_position_in_memory(waveform, size):
    encoding, decoding = MuLawEncoding(65536), MuLawDecoding(65536)
    values = waveform.ravel()[:size]
    codes = encoding(values).numpy()
    samples = decoding(codes).numpy()
    for shift in range(1, min(size, 20)):
        assert np.array_equal(encoding(np.roll(values, shift)), np.roll(codes, shift))
        assert np.array_equal(decoding(np.roll(codes, shift)), np.roll(samples, shift))


def test_the_gradient_of_decoding_does_not_vanish_in_the_middle():
    codes = tf.constant([126.999, 127.0, 127.001])
    with tf.GradientTape() as tape:
        tape.watch(codes)
        samples = MuLawDecoding(255)(codes)
    slope = np.log(255) / 254 * 2 / 254
    np.testing.assert_allclose(tape.gradient(samples, codes), [slope] * 3, rtol=1e-4)


@pytest.mark.parametrize("layer", [MuLawEncoding, MuLawDecoding])
@pytest.mark.parametrize(("number", "message"), [(1, "at least 2"), (65537, "at most 65536"), (256.0, "an integer")])
def test_invalid_numbers_of_codes_are_refused(layer, number, message):
    with pytest.raises(ArgumentError, match=f"quantization_channels must be {message}.*={number}"):
        layer(number)


def test_encoding_refuses_integers_with_advice_on_scaling():
    with pytest.raises(ArgumentError, match=r"int16.*/ 32768"):
        MuLawEncoding(256)(np.zeros((1, 10, 1), np.int16))

"""Tests of `LogmelToMFCC` against SciPy, TensorFlow and librosa."""

import keras
import librosa
import numpy as np
import pytest
import scipy.fft
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import LogmelToMFCC

LAST, FIRST = "channels_last", "channels_first"


def decibels(*shape):
    return (20 * np.random.default_rng(0).standard_normal(shape) - 40).astype(np.float32)


def reference(log_mel, n_mfccs):
    """Computes the coefficients over the last axis."""
    transform = scipy.fft.dct(log_mel.astype(np.float64), type=2, axis=-1, norm="ortho")[..., :n_mfccs]
    transform[..., 0] *= np.sqrt(2)
    return transform


@pytest.mark.parametrize(("n_mels", "n_mfccs"), [(40, 13), (128, 20), (80, 80), (41, 1), (1, 1)])
def test_coefficients_equal_scipys_transform_with_the_scale_of_htk(n_mels, n_mfccs):
    batch = decibels(2, 3, 9, n_mels)
    expected = reference(batch, n_mfccs)
    first = LogmelToMFCC(n_mfccs, FIRST)(batch).numpy()
    np.testing.assert_allclose(first, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    last = LogmelToMFCC(n_mfccs, LAST)(np.moveaxis(batch, 1, -1)).numpy()
    np.testing.assert_array_equal(np.moveaxis(last, -1, 1), first)


def test_coefficients_equal_those_of_tensorflow():
    batch = decibels(2, 1, 9, 64)
    expected = tf.signal.mfccs_from_log_mel_spectrograms(batch)[..., :20]
    np.testing.assert_allclose(LogmelToMFCC(data_format=FIRST)(batch), expected, rtol=0, atol=1e-3)


@pytest.mark.cases(5)
@pytest.mark.parametrize("lifter", [0.0, 22.0, 13.5])
@pytest.mark.parametrize("n_mfccs", [1, 13, 40])
def test_orthonormal_coefficients_equal_those_of_librosa(n_mfccs, lifter):
    batch = decibels(2, 1, 9, 40)
    wide = batch.astype(np.float64)
    expected = librosa.feature.mfcc(S=wide.swapaxes(-1, -2), n_mfcc=n_mfccs, lifter=lifter).swapaxes(-1, -2)
    actual = LogmelToMFCC(n_mfccs, FIRST, norm="ortho", lifter=lifter)(batch)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("norm", ["htk", "ortho"])
def test_liftering_of_kaldi_leaves_coefficient_zero_unchanged(norm):
    batch = decibels(2, 1, 9, 23)
    expected = reference(batch, 13)
    if norm == "ortho":
        expected[..., 0] /= np.sqrt(2)
    expected *= [1 + 22 / 2 * np.sin(np.pi * k / 22) for k in range(13)]
    layer = LogmelToMFCC(13, FIRST, norm, lifter=22, liftering="kaldi")
    np.testing.assert_allclose(layer(batch), expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    plain = LogmelToMFCC(13, FIRST, norm)(batch).numpy()
    np.testing.assert_array_equal(layer(batch)[..., 0], plain[..., 0])


def test_liftering_is_that_of_librosa_by_default():
    layer = LogmelToMFCC(lifter=22)
    assert layer.get_config()["liftering"] == "librosa"
    batch = decibels(1, 4, 40, 1)
    np.testing.assert_array_equal(layer(batch), LogmelToMFCC(lifter=22, liftering="librosa")(batch))


def test_the_default_matrix_keeps_its_bits():
    # Models and features that exist were computed with it.
    angles = np.pi / 41 * np.outer(np.arange(41) + 0.5, np.arange(13))
    matrix = (np.sqrt(2 / 41) * np.cos(angles)).astype(np.float32)
    batch = decibels(1, 2, 5, 41)
    expected = tf.einsum("...f,fm->...m", batch, matrix)
    np.testing.assert_array_equal(LogmelToMFCC(13, FIRST)(batch), expected)


def test_the_config_of_a_layer_from_before_liftering_gives_the_same_layer():
    old = {"n_mfccs": 13, "data_format": FIRST, "name": "mfcc", "dtype": "float32", "trainable": True}
    batch = decibels(1, 2, 5, 41)
    np.testing.assert_array_equal(LogmelToMFCC.from_config(old)(batch), LogmelToMFCC(13, FIRST)(batch))


def test_under_a_float64_policy_the_matrix_keeps_its_precision():
    batch = decibels(1, 1, 5, 40).astype(np.float64)
    expected = reference(batch, 13)
    actual = LogmelToMFCC(13, FIRST, dtype="float64")(batch)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-14 * np.abs(expected).max())


@pytest.mark.parametrize("n_mels", [40, 64, 80, 128])
def test_a_frame_has_the_same_bits_alone_and_among_others(n_mels):
    batch = decibels(3, 2, 11, n_mels)
    layer = LogmelToMFCC(13, FIRST)
    coefficients = layer(batch).numpy()
    for frame in range(11):
        assert np.array_equal(layer(batch[1:2, :, frame : frame + 1])[0, :, 0], coefficients[1, :, frame])


def test_more_coefficients_than_mels_are_refused():
    message = r"at least n_mfccs=20. Received: shape=\(1, 4, 13, 1\). Increase n_mels or decrease n_mfccs"
    with pytest.raises(ArgumentError, match=message):
        LogmelToMFCC(20, LAST)(np.zeros((1, 4, 13, 1), np.float32))


def test_an_unknown_number_of_mels_is_refused():
    with pytest.raises(ArgumentError, match="a known number of bins"):
        LogmelToMFCC(20, LAST)(keras.Input((None, None, 1)))


@pytest.mark.parametrize("shape", [(5, 40), (2, 5, 40)])
def test_any_rank_but_four_is_refused(shape):
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        LogmelToMFCC()(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "n_mfccs=0"),
        ((13, "NCHW"), "data_format='NCHW'"),
        ((13, LAST, "slaney"), "norm must be one of 'htk', 'ortho'"),
        ((13, LAST, "htk", -1), "lifter must be at least 0"),
        ((13, LAST, "htk", 22, "htk"), "liftering must be one of None, 'librosa', 'kaldi'"),
        (
            (13, LAST, "htk", 0, "kaldi"),
            "liftering needs a lifter greater than 0. Received: liftering='kaldi', lifter=0",
        ),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        LogmelToMFCC(*arguments)

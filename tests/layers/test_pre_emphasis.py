"""Tests of `PreEmphasis` against SciPy and librosa."""

import librosa
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import PreEmphasis

LAST, FIRST = "channels_last", "channels_first"


def noise(time):
    return np.random.default_rng(time).standard_normal((2, time, 3)).astype(np.float32)


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.97])
@pytest.mark.parametrize("time", [1, 2, 3, 1000])
def test_waveforms_are_filtered_as_by_scipy_and_librosa(time, coefficient):
    waveform = noise(time)
    expected = scipy.signal.lfilter([1, -coefficient], [1], waveform.astype(np.float64), axis=1)
    np.testing.assert_allclose(PreEmphasis(coefficient, LAST)(waveform), expected, rtol=0, atol=1e-6)
    first = PreEmphasis(coefficient, FIRST)(waveform.transpose(0, 2, 1))
    np.testing.assert_allclose(first, expected.transpose(0, 2, 1), rtol=0, atol=1e-6)
    peer = librosa.effects.preemphasis(waveform[0, :, 0], coef=coefficient, zi=np.zeros(1))
    np.testing.assert_allclose(first[0, 0], peer, rtol=0, atol=1e-6)


def test_the_first_sample_does_not_change_and_an_empty_clip_stays_empty():
    layer = PreEmphasis(0.97, LAST)
    np.testing.assert_array_equal(layer(noise(9))[:, 0], noise(9)[:, 0])
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 3])])
    assert layer(noise(0)).shape == graph(noise(0)).shape == (2, 0, 3)


def test_a_sample_depends_only_on_itself_and_the_one_before():
    layer, waveform = PreEmphasis(0.97, LAST), noise(100)
    context = layer.sample_context
    assert context == 1
    block = layer(waveform[:, 40 - context :])
    np.testing.assert_array_equal(block[:, context:], layer(waveform)[:, 40:])


@pytest.mark.parametrize(
    ("coefficient", "message"),
    [
        (-0.5, "coefficient must be at least 0. Received: coefficient=-0.5"),
        (1, "coefficient must be less than 1. Received: coefficient=1"),
        (None, "coefficient must be a number"),
    ],
)
def test_an_invalid_coefficient_is_refused(coefficient, message):
    with pytest.raises(ArgumentError, match=message):
        PreEmphasis(coefficient)


def test_a_wrong_rank_is_refused():
    with pytest.raises(ArgumentError, match=r"rank 3, \(batch, channels, time\). Received: shape=\(2, 5\)"):
        PreEmphasis(0.5, FIRST)(np.zeros((2, 5), np.float32))

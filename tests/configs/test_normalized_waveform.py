"""Waveforms with mean 0 and variance 1, as Wav2Vec2 and HuBERT read them."""

import functools

import numpy as np
import pytest

from audiopipe import Transform, composed
from audiopipe.configs import NormalizedWaveform
from audiopipe.errors import ConfigError


@functools.cache
def transform():
    return Transform(NormalizedWaveform())


def clip_of(n_samples, seed=0):
    return (0.1 * np.random.default_rng(seed).normal(size=n_samples) + 0.3).astype(np.float32)


@pytest.mark.parametrize("n_samples", [2, 3, 400, 16001])
def test_mean_is_0_and_variance_is_1(n_samples):
    clip = clip_of(n_samples).astype(np.float64)
    expected = (clip - clip.mean()) / np.sqrt(clip.var() + 1e-7)
    feature = transform()(clip.astype(np.float32))
    assert feature.shape == (n_samples, 1, 1)
    np.testing.assert_allclose(feature[:, 0, 0], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("clip", [np.zeros(500), np.full(500, 0.25), np.ones(1), np.zeros(0)])
def test_a_constant_clip_becomes_silence(clip):
    feature = transform()(clip.astype(np.float32))
    assert feature.shape == (len(clip), 1, 1)
    assert not feature.any()


def test_each_clip_of_a_padded_batch_is_normalized_by_itself():
    clips = clip_of(300), clip_of(500, seed=1)
    batch = np.zeros((2, 500, 1), np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip), 0] = clip
    features = transform()(batch, lengths=np.array([300, 500]))
    np.testing.assert_array_equal(features[0, :300], transform()(clips[0]))
    np.testing.assert_array_equal(features[1], transform()(clips[1]))
    assert not features[0, 300:].any()


def test_a_frame_is_a_sample():
    config = NormalizedWaveform(sample_rate=8000)
    assert (config.n_frames(123), config.valid_frames(123), config.n_bins) == (123, 123, 1)
    np.testing.assert_array_equal(config.frame_times(3), [0, 1 / 8000, 2 / 8000])
    np.testing.assert_array_equal(config.frame_centres(3), config.frame_times(3))
    assert (config.silence, config.padding, config.quantities) == (0, 0, ("normalized waveform",))


def test_wrong_epsilons_are_refused():
    with pytest.raises(ConfigError, match="variance_epsilon must be at least 0"):
        NormalizedWaveform(variance_epsilon=-1e-7)
    with pytest.raises(ConfigError, match=r"variance_epsilon must be at most 3\.40282e"):
        NormalizedWaveform(variance_epsilon=1e300)
    with pytest.raises(ValueError, match="variance_epsilon must be a number"):
        composed.get_normalized_waveform_layer(variance_epsilon="1e-7")

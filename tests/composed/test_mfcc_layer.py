"""Cepstral coefficients against librosa and SciPy."""

import librosa
import log_mel_reference
import numpy as np
import pytest
import scipy.fft

from audiopipe import configs

DEFAULTS = {"sample_rate": 22050, "n_fft": 2048, "n_mels": 128, "mel_scale": "slaney", "mel_norm": "slaney"}
DECIBELS = {"log": "db", "top_db": 80.0}


def noise(n_samples):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, n_samples)
    return (samples * np.linspace(1, 0.1, n_samples)).astype(np.float32)


def computed(config, clip):
    values = clip[None, :, None]
    for layer in config.layer().layers:
        values = layer(values)
    return values.numpy()[0, ..., 0]


@pytest.mark.parametrize(
    ("arguments", "librosa_arguments"),
    [
        ({}, {}),
        ({"n_mfcc": 13, "lifter": 22.0}, {"n_mfcc": 13, "lifter": 22}),
        ({"n_mfcc": 40, "lifter": 12.0}, {"n_mfcc": 40, "lifter": 12}),
    ],
)
def test_coefficients_equal_librosa(arguments, librosa_arguments):
    clip = noise(15000)
    expected = librosa.feature.mfcc(y=clip.astype(np.float64), sr=22050, **librosa_arguments)
    config = configs.Mfcc(**DEFAULTS, **DECIBELS, **arguments)
    np.testing.assert_allclose(computed(config, clip), expected.T, rtol=1e-5, atol=5e-3)


@pytest.mark.parametrize(("mode", "librosa_mode"), [("interp", "interp"), ("edge", "nearest")])
def test_derivatives_equal_librosa(mode, librosa_mode):
    clip = noise(15000)
    coefficients = librosa.feature.mfcc(y=clip.astype(np.float64), sr=22050, n_mfcc=13)
    first = librosa.feature.delta(coefficients, width=9, mode=librosa_mode)
    again = librosa.feature.delta(first, width=9, mode=librosa_mode)
    second = librosa.feature.delta(coefficients, order=2, width=9) if mode == "interp" else again
    config = configs.Mfcc(**DEFAULTS, **DECIBELS, n_mfcc=13, deltas=2, delta_width=9, delta_mode=mode)
    expected = np.concatenate([coefficients, first, second]).T
    np.testing.assert_allclose(computed(config, clip), expected, rtol=1e-5, atol=5e-3)


@pytest.mark.parametrize(("norm", "first"), [("ortho", 1.0), ("htk", np.sqrt(2))])
def test_kaldi_and_htk_scale_and_lifter_a_cosine_transform_of_natural_logarithms(norm, first):
    clip, fields = noise(9000), {"win_length": 400, "hop_length": 160, "edges": "snip", "n_mels": 23}
    log_mel = log_mel_reference.feature(clip, configs.LogMel(**fields))
    expected = scipy.fft.dct(log_mel, norm="ortho")[:, :13] * [first, *[1.0] * 12]
    expected *= 1 + 22 / 2 * np.sin(np.pi * np.arange(13) / 22)
    config = configs.Mfcc(**fields, n_mfcc=13, dct_norm=norm, lifter=22.0, liftering="kaldi")
    np.testing.assert_allclose(computed(config, clip), expected, rtol=1e-5, atol=2e-3)


def test_normalization_and_rows_come_after_the_derivatives():
    clip, fields = noise(5000), {"n_mels": 23, "n_mfcc": 5, "deltas": 1, "masked_frames": 1}
    plain = computed(configs.Mfcc(**{**fields, "masked_frames": 0}), clip)
    config = configs.Mfcc(**fields, normalization="clip", padding_value=7.0, fixed_frames=50)
    feature, valid = computed(config, clip), config.valid_frames(5000)
    np.testing.assert_array_equal(feature[valid:], 7.0)
    kept = plain[:valid, :5]
    np.testing.assert_allclose(feature[:valid, :5], (kept - kept.mean(axis=0)) / kept.std(axis=0), atol=1e-4)
    np.testing.assert_allclose(feature[:valid, 5:].std(axis=0), 1.0, atol=1e-4)

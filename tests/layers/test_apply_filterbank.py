"""Tests of `ApplyFilterbank` against librosa and the formulas in float64."""

import warnings

import librosa
import numpy as np
import pytest
import references
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import ApplyFilterbank

MEL = {"sample_rate": 16000, "n_freq": 257, "n_mels": 40}
LOG = {"sample_rate": 16000, "n_freq": 512, "n_fft": 1023, "n_bins": 24, "f_min": 440.0}


def spectrograms(n_freq):
    """Returns magnitudes of shape `[batch, frames, n_freq, channels]`."""
    return np.random.default_rng(0).uniform(0, 10, (2, 6, n_freq, 3)).astype(np.float32)


def assert_is_product(actual, spectrogram, filterbank):
    expected = np.einsum("btfc,fm->btmc", spectrogram.astype(np.float64), filterbank)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_mel_bands_are_sums_weighted_by_librosas_filters():
    values = spectrograms(257)
    filterbank = librosa.filters.mel(sr=16000, n_fft=512, n_mels=40, dtype=np.float64).T
    assert_is_product(ApplyFilterbank("mel", MEL)(values).numpy(), values, filterbank)


def test_mel_bands_of_kaldi_have_triangles_over_mels_and_may_be_empty_without_a_warning():
    kaldi = {"n_freq": 257, "n_mels": 128, "f_min": 20.0, "htk": True, "norm": None, "triangles": "mel"}
    values = spectrograms(257)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = ApplyFilterbank("mel", {"sample_rate": 16000, **kaldi, "warn_of_empty": False})
        again = ApplyFilterbank.from_config(layer.get_config())
    filterbank = tf.signal.linear_to_mel_weight_matrix(128, 257, 16000, 20.0, 8000.0, tf.float64).numpy()
    assert not filterbank.sum(axis=0).all()
    assert_is_product(layer(values).numpy(), values, filterbank)
    np.testing.assert_array_equal(again(values), layer(values))


def test_log_frequency_bins_are_sums_weighted_by_the_formula():
    values = spectrograms(512)
    filterbank = references.log_filterbank(16000, 1023, 24, 12, 440.0, 0.125)
    assert_is_product(ApplyFilterbank("log", LOG)(values).numpy(), values, filterbank)


def test_channels_first_gives_the_values_of_channels_last():
    values = spectrograms(257)
    filterbank = librosa.filters.mel(sr=16000, n_fft=512, n_mels=40, dtype=np.float64).T
    actual = ApplyFilterbank("mel", MEL, data_format="channels_first")(np.moveaxis(values, 3, 1)).numpy()
    assert_is_product(np.moveaxis(actual, 1, 3), values, filterbank)


def test_under_a_float64_policy_the_filterbank_keeps_its_precision():
    values = spectrograms(257).astype(np.float64)
    filterbank = librosa.filters.mel(sr=16000, n_fft=512, n_mels=40, dtype=np.float64).T
    actual = ApplyFilterbank("mel", MEL, dtype="float64")(values).numpy()
    np.testing.assert_allclose(actual, np.einsum("btfc,fm->btmc", values, filterbank), rtol=1e-12)


def test_the_default_data_format_follows_the_setting_of_keras(keras_settings):
    keras_settings.set_image_data_format("channels_first")
    assert ApplyFilterbank("mel", MEL).compute_output_shape((1, 3, 6, 257)) == (1, 3, 6, 40)


def test_changing_the_arguments_afterwards_does_not_change_the_layer():
    arguments = dict(MEL)
    layer = ApplyFilterbank("mel", arguments)
    arguments["n_mels"] = 80
    layer.get_config()["filterbank_kwargs"]["n_mels"] = 80
    assert layer.get_config()["filterbank_kwargs"] == MEL


def test_mel_filters_that_reach_no_bin_cause_a_warning():
    with pytest.warns(UserWarning, match=r"of 200 mel filters reach no frequency bin"):
        ApplyFilterbank("mel", {**MEL, "n_mels": 200})


@pytest.mark.parametrize(
    ("type", "arguments", "message"),
    [
        ("bark", MEL, "type must be one of 'mel', 'log', 'linear_to_mel'. Received: type='bark'"),
        ("mel", {**MEL, "n_bins": 40}, "arguments of audiopipe.signal.filterbanks.mel.*n_bins"),
        ("mel", {"sample_rate": 16000}, "arguments of audiopipe.signal.filterbanks.mel.*n_freq"),
        ("log", {**LOG, "n_mels": 40}, "arguments of audiopipe.signal.filterbanks.log.*n_mels"),
        ("mel", {**MEL, "f_max": 9000.0}, "f_max=9000"),
        ("log", {**LOG, "n_bins": 60}, "n_bins=60"),
    ],
)
def test_invalid_arguments_are_refused(type, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ApplyFilterbank(type, arguments)


def test_an_unknown_data_format_is_refused():
    with pytest.raises(ArgumentError, match="data_format='last'"):
        ApplyFilterbank("mel", MEL, data_format="last")


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_wrong_number_of_bins_is_refused_with_the_expected_number(data_format):
    layer = ApplyFilterbank("mel", MEL, data_format=data_format)
    with pytest.raises(ArgumentError, match=r"n_freq=257.*\(1, 6, 129, 129\).*same n_fft"):
        layer(np.zeros((1, 6, 129, 129), np.float32))


def test_any_rank_but_four_is_refused_with_the_layout():
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, n_freq, channels\).*\(6, 257\)"):
        ApplyFilterbank("mel", MEL)(np.zeros((6, 257), np.float32))

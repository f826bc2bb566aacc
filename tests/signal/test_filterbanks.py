"""Filterbanks against tf.signal, librosa and formulas."""

import warnings

import librosa
import numpy as np
import pytest
import references
import tensorflow as tf
import transformers

from audiopipe.errors import ArgumentError
from audiopipe.signal import filterbanks


@pytest.mark.parametrize("norm", ["slaney", None, 1, 2, np.inf, "inf", 0.5])
@pytest.mark.parametrize("htk", [False, True], ids=["slaney", "htk"])
@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "f_min", "f_max"),
    [
        (22050, 2048, 128, 0.0, None),
        (16000, 512, 40, 20.0, 7600.0),
        (16000, 401, 40, 0.0, None),
        (44100, 1023, 64, 100.0, 22050.0),
    ],
)
def test_mel_filterbank_equals_librosa(sample_rate, n_fft, n_mels, f_min, f_max, htk, norm):
    expected = librosa.filters.mel(
        sr=sample_rate,
        n_fft=n_fft,
        n_mels=n_mels,
        fmin=f_min,
        fmax=f_max,
        htk=htk,
        norm=np.inf if norm == "inf" else norm,
        dtype=np.float64,
    ).T
    actual = filterbanks.mel(sample_rate, n_fft // 2 + 1, n_mels, f_min, f_max, htk, norm, n_fft)
    assert actual.dtype == np.float64
    # The relative tolerance matters: under the Slaney norm the filters are as small as 0.001.
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
@pytest.mark.parametrize(("htk", "mel_scale"), [(True, "kaldi"), (True, "htk"), (False, "slaney")])
@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "f_min", "f_max"),
    [(16000, 512, 80, 20.0, 8000.0), (16000, 512, 128, 125.0, 7500.0), (22050, 1024, 40, 0.0, 11025.0)],
)
def test_triangles_over_mels_equal_those_of_transformers(sample_rate, n_fft, n_mels, f_min, f_max, mel_scale, htk):
    sizes = (n_fft // 2 + 1, n_mels, f_min, f_max)
    expected = transformers.audio_utils.mel_filter_bank(
        *sizes, sample_rate, None, mel_scale, triangularize_in_mel_space=True
    )
    options = {"triangles": "mel", "warn_of_empty": False}
    actual = filterbanks.mel(sample_rate, *sizes, htk, None, **options)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-9)
    edges = librosa.mel_frequencies(n_mels=n_mels + 2, fmin=f_min, fmax=f_max, htk=htk)
    normed = filterbanks.mel(sample_rate, *sizes, htk, "slaney", **options)
    np.testing.assert_allclose(normed, expected * 2 / (edges[2:] - edges[:-2]), rtol=1e-6, atol=1e-11)


@pytest.mark.parametrize("n_mels", [20, 64])
def test_triangles_over_mels_equal_those_of_tf_signal(n_mels):
    expected = tf.signal.linear_to_mel_weight_matrix(n_mels, 257, 16000, 125.0, 7500.0, tf.float64)
    actual = filterbanks.mel(16000, 257, n_mels, 125.0, 7500.0, htk=True, norm=None, triangles="mel")
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("htk", [False, True], ids=["slaney", "htk"])
def test_triangles_over_mels_give_no_weight_to_the_bin_at_zero_hertz(htk):
    filters = filterbanks.mel(16000, 257, 40, htk=htk, triangles="mel")
    assert not filters[0].any()
    assert filters[1].any()


def test_triangles_over_mels_use_the_true_frequencies_of_an_odd_transform():
    filters = filterbanks.mel(16000, 256, 10, htk=True, norm=None, n_fft=511, triangles="mel")
    centre, edge, step = 2595 * np.log10(1 + 40 * 16000 / 511 / 700), filters[40], 2595 * np.log10(1 + 8000 / 700) / 11
    np.testing.assert_allclose(edge, np.maximum(0, 1 - np.abs(centre - step * np.arange(1, 11)) / step), atol=1e-12)


def test_the_default_transform_length_is_even():
    expected = librosa.filters.mel(sr=16000, n_fft=512, n_mels=40, dtype=np.float64).T
    np.testing.assert_allclose(filterbanks.mel(16000, 257, 40), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("norm", ["slaney", 2])
def test_mel_filters_between_two_bins_are_zero_with_a_warning(norm):
    with pytest.warns(UserWarning, match=r"(\d+) of 128 mel filters reach no frequency bin") as caught:
        filters = filterbanks.mel(16000, 129, 128, norm=norm)
    empty = np.flatnonzero(filters.sum(axis=0) == 0)
    assert str(caught[0].message).startswith(f"{len(empty)} of 128")
    assert f"always be zero: {empty[0]} (" in str(caught[0].message)
    assert np.isfinite(filters).all()


@pytest.mark.parametrize("triangles", ["hertz", "mel"])
def test_the_warning_of_empty_mel_filters_can_be_switched_off(triangles):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        silent = filterbanks.mel(16000, 129, 128, triangles=triangles, warn_of_empty=False)
    with pytest.warns(UserWarning, match="of 128 mel filters reach no frequency bin"):
        np.testing.assert_array_equal(filterbanks.mel(16000, 129, 128, triangles=triangles), silent)


def test_mel_filters_that_all_reach_a_bin_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = filterbanks.mel(16000, 257, 40)
    assert (filters.max(axis=0) > 0).all()


def test_mel_scale_its_inverse_and_edges_equal_librosa():
    hertz = np.array([0.0, 440.0, 999.9, 1000.0, 1000.1, 8000.0])
    for htk in (False, True):
        mels = filterbanks.hertz_to_mel(hertz, htk)
        np.testing.assert_allclose(mels, librosa.hz_to_mel(hertz, htk=htk), rtol=1e-12)
        np.testing.assert_allclose(filterbanks.mel_to_hertz(mels, htk), hertz, rtol=1e-12, atol=1e-12)
        edges = librosa.mel_frequencies(n_mels=42, fmin=50, fmax=7000, htk=htk)
        np.testing.assert_allclose(filterbanks.mel_edges(40, 50, 7000, htk), edges, rtol=1e-9)


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_bins", "bins_per_octave", "f_min", "spread"),
    [
        (22050, 2048, 84, 12, 32.70319566, 0.125),
        (16000, 1024, 30, 6, 110.0, 0.5),
        (16000, 1023, 48, 24, 440.0, 0.25),
    ],
)
def test_log_frequency_filterbank_equals_the_formula(sample_rate, n_fft, n_bins, bins_per_octave, f_min, spread):
    expected = references.log_filterbank(sample_rate, n_fft, n_bins, bins_per_octave, f_min, spread)
    actual = filterbanks.log(sample_rate, n_fft // 2 + 1, n_bins, bins_per_octave, f_min, spread, n_fft)
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-15)


def test_every_log_frequency_filter_sums_to_one():
    # One of these 84 filters vanishes in float32.
    filters = filterbanks.log(22050, 1025)
    assert filters.shape == (1025, 84)
    np.testing.assert_allclose(filters.sum(axis=0), 1, rtol=1e-12)
    assert (filters.astype(np.float32).sum(axis=0) > 0.999).all()


def test_log_frequency_filters_start_at_c1_by_default():
    expected = references.log_filterbank(22050, 2048, 84, 12, librosa.note_to_hz("C1"), 0.125)
    np.testing.assert_allclose(filterbanks.log(22050, 1025), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(filterbanks.log_frequencies(3, 1, None), [32.70319566, 65.40639132, 130.81278264])


def test_log_frequency_filters_that_reach_no_bin_are_zero_and_named_in_a_warning():
    # Filter 0 is centred on the first bin, 31.25 Hz. Filter 1 is a semitone above it: a hundred standard deviations.
    with pytest.warns(
        UserWarning, match=r"2 of 3 .* always be zero: 1 \(33\.1 Hz\), 2 \(35\.1 Hz\)\. .*31\.2 Hz apart"
    ):
        filters = filterbanks.log(16000, 257, n_bins=3, f_min=31.25, spread=0.01)
    np.testing.assert_allclose(filters.sum(axis=0), [1, 0, 0])
    assert np.isfinite(filters).all()


def test_the_warning_counts_all_empty_filters_and_names_the_first_five():
    with pytest.warns(
        UserWarning, match=r"zero: 0 \(32\.7 Hz\), 1 .*, 4 \(41\.2 Hz\) and \d+ more\. Bins are 172\.3 Hz apart"
    ):
        filterbanks.log(22050, 65)


@pytest.mark.parametrize("n_bins", [85, 120, 20_000])
def test_log_frequencies_above_nyquist_are_refused(n_bins):
    with pytest.raises(ArgumentError, match=f"half the sample rate, 4200 Hz. Received: n_bins={n_bins}, .* end at"):
        filterbanks.log(8400, 1025, n_bins=n_bins)


def test_log_frequencies_may_end_at_nyquist():
    assert filterbanks.log(16000, 1025, n_bins=3, bins_per_octave=1, f_min=1000).shape == (1025, 3)


@pytest.mark.parametrize("filterbank", [filterbanks.mel, filterbanks.log])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate": 0}, "sample_rate must be at least 1. Received: sample_rate=0"),
        ({"sample_rate": 16000.0}, "sample_rate=16000.0"),
        ({"n_freq": True}, "n_freq=True"),
        ({"n_fft": 510}, "n_fft=510 has 256 frequency bins. Received: n_freq=257"),
        ({"f_min": -1.0}, "f_min=-1.0"),
        ({"f_min": float("nan")}, "f_min=nan"),
    ],
)
def test_invalid_arguments_of_both_filterbanks_are_refused(filterbank, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        filterbank(**{"sample_rate": 16000, "n_freq": 257, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"f_max": 8000.5}, "f_max must be at most half the sample rate, 8000 Hz.*f_max=8000.5"),
        ({"f_min": 400, "f_max": 400}, "f_max must be greater than f_min. Received: f_min=400, f_max=400"),
        ({"f_max": float("inf")}, "f_max=inf"),
        ({"n_mels": 0}, "n_mels=0"),
        ({"n_mels": 40.0}, "n_mels=40.0"),
        ({"htk": 1}, "htk=1"),
        ({"norm": "slany"}, "norm='slany'"),
        ({"norm": -1}, "norm=-1"),
        ({"norm": float("nan")}, "norm=nan"),
        ({"triangles": "slaney"}, "triangles must be one of 'hertz', 'mel'"),
        ({"warn_of_empty": 0}, "warn_of_empty=0"),
    ],
)
def test_invalid_mel_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        filterbanks.mel(**{"sample_rate": 16000, "n_freq": 257, "n_mels": 40, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_bins": 0}, "n_bins=0"),
        ({"bins_per_octave": True}, "bins_per_octave=True"),
        ({"spread": 0.0}, "spread must be greater than 0. Received: spread=0.0"),
        ({"spread": float("nan")}, "spread=nan"),
        ({"f_min": 0}, "f_min must be greater than 0. Received: f_min=0"),
        ({"n_freq": 1}, "n_freq must be at least 2"),
    ],
)
def test_invalid_log_frequency_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        filterbanks.log(**{"sample_rate": 22050, "n_freq": 1025, **arguments})


@pytest.mark.parametrize("sizes", [(8000, 129, 20, 125.0, 3800.0), (16000, 1025, 128, 20.0, 8000.0)])
def test_the_mel_filterbank_of_keras_equals_its_formula_and_tf_signal(sizes):
    rate, n_freq, n_mels, low, high = sizes
    actual = filterbanks.linear_to_mel(rate, n_freq, n_mels, low, high)
    np.testing.assert_allclose(actual, references.keras_mel_matrix(*sizes), rtol=0, atol=1e-11)
    peer = tf.signal.linear_to_mel_weight_matrix(n_mels, n_freq, rate, low, high, dtype=tf.float64)
    np.testing.assert_allclose(actual, peer, rtol=0, atol=1e-11)


def test_the_mel_filterbank_of_keras_warns_of_empty_filters_and_refuses_wrong_edges():
    with pytest.warns(UserWarning, match=r"of 60 mel filters reach no frequency bin"):
        filterbanks.linear_to_mel(8000, 65, 60)
    with pytest.raises(ArgumentError, match=r"upper_edge_hertz must be .*4000 Hz. Received: upper_edge_hertz=4001"):
        filterbanks.linear_to_mel(8000, 129, upper_edge_hertz=4001)

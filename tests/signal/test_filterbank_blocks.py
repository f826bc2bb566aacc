"""Filterbanks that are split into parts, and products with them."""

import librosa
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.signal import filterbank_blocks, filterbanks, ops

MEL = {"sample_rate": 22050, "n_freq": 1025, "n_mels": 128}


def joined(parts, shape):
    """Joins the parts of a filterbank."""
    whole, band = np.zeros(shape, np.float32), 0
    for first, weights in parts:
        whole[first : first + weights.shape[0], band : band + weights.shape[1]] = weights
        band += weights.shape[1]
    assert band == shape[1]
    return whole


@given(n_freq=st.integers(1, 1500), n_bands=st.integers(1, 300), width=st.integers(1, 400), seed=st.integers(0, 9))
def test_parts_keep_every_weight_at_its_place(n_freq, n_bands, width, seed):
    starts = np.sort(np.random.default_rng(seed).integers(-width, n_freq, n_bands))
    frequencies = np.arange(n_freq)[:, None]
    filterbank = np.float32(1 + frequencies) * ((frequencies >= starts) & (frequencies < starts + width))
    parts = filterbank_blocks.parts(filterbank)
    assert np.array_equal(joined(parts, filterbank.shape), filterbank)
    assert len(parts) == 1 or sum(weights.size for _, weights in parts) <= filterbank.size * 2 / 3


@pytest.mark.parametrize(
    ("filterbank", "count"),
    [
        (filterbanks.mel(**MEL), 5),
        (filterbanks.log(sample_rate=22050, n_freq=1025, n_bins=84), 3),
        (filterbanks.mel(sample_rate=16000, n_freq=513, n_mels=80), 3),
        (filterbanks.mel(sample_rate=16000, n_freq=201, n_mels=80), 1),
        (np.ones((1025, 128), np.float32), 1),
    ],
)
def test_only_large_filterbanks_with_mostly_zeros_are_split(filterbank, count):
    assert len(filterbank_blocks.parts(filterbank)) == count


def test_bands_without_weights_are_zero():
    filterbank = (filterbanks.mel(**MEL) * (np.arange(128) < 32)).astype(np.float32)
    bands = ops.apply_in_parts(tf.ones([3, 1025]), tf.constant(filterbank), filterbank_blocks.parts(filterbank)).numpy()
    assert bands.shape == (3, 128)
    assert np.all(bands[:, 32:] == 0)
    np.testing.assert_allclose(bands[0, :32], filterbank[:, :32].sum(axis=0), rtol=1e-6)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_products_with_parts_equal_float64_and_do_not_depend_on_the_batch(data_format):
    filterbank = filterbanks.mel(**MEL).astype(np.float32)
    parts = filterbank_blocks.parts(filterbank)
    values = np.random.default_rng(0).uniform(0, 10, (5, 2, 40, 1025)).astype(np.float32)
    expected = librosa.filters.mel(sr=22050, n_fft=2048, n_mels=128, dtype=np.float64).T

    def product(spectrogram):
        if data_format == "channels_first":
            return ops.combine_bins(tf.constant(spectrogram), filterbank, data_format, parts).numpy()
        channels_last = tf.constant(np.moveaxis(spectrogram, 1, -1))
        return np.moveaxis(ops.combine_bins(channels_last, filterbank, data_format, parts).numpy(), -1, 1)

    bands = product(values)
    np.testing.assert_allclose(bands, values.astype(np.float64) @ expected, rtol=2e-6)
    for clip, channel, frames in [(0, 0, slice(0, 1)), (3, 1, slice(7, 30)), (4, 0, slice(39, 40))]:
        alone = product(values[clip : clip + 1, channel : channel + 1, frames])
        assert np.array_equal(alone[0, 0], bands[clip, channel, frames])


def test_gradients_of_parts_equal_those_of_the_whole_filterbank():
    filterbank = filterbanks.mel(**MEL).astype(np.float32)
    spectrogram = tf.constant(np.random.default_rng(0).uniform(0, 10, (3, 7, 1025)).astype(np.float32))
    upstream = np.random.default_rng(1).standard_normal((3, 7, 128)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(spectrogram)
        bands = ops.apply_in_parts(spectrogram, tf.constant(filterbank), filterbank_blocks.parts(filterbank))
    expected = upstream.astype(np.float64) @ filterbank.T.astype(np.float64)
    gradients = tape.gradient(bands, spectrogram, output_gradients=upstream)
    np.testing.assert_allclose(gradients, expected, rtol=1e-5, atol=1e-9)

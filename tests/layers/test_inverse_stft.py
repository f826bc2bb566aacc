"""Tests of `InverseSTFT` against overlap-add in float64 NumPy and librosa."""

import librosa
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from audiopipe import layers
from audiopipe.errors import ArgumentError
from audiopipe.layers import STFT, InverseSTFT


def spectrograms(batch, frames, bins, channels, seed=0):
    noise = np.random.default_rng(seed).standard_normal((2, batch, frames, bins, channels))
    return (noise[0] + 1j * noise[1]).astype(np.complex64)


def window(name, length):
    return scipy.signal.get_window(name, length, fftbins=length % 2 == 0)


def overlap_add(frames, n_fft, win_length, hop_length, name="hann"):
    """Computes the waveform `[time]` of one spectrogram `[frames, bins]` by overlap-add.

    Every sample is divided by the sum of its squared windows.
    """
    w = window(name, win_length)
    waveform = np.zeros((len(frames) - 1) * hop_length + win_length)
    for index, frame in enumerate(frames):
        start = index * hop_length
        waveform[start : start + win_length] += np.fft.irfft(frame, n_fft)[:win_length] * w
    # The sum is that of an endless sequence of frames, so that the waveform fades in and out at its ends.
    squares = np.array([np.sum(w[r::hop_length] ** 2) for r in range(hop_length)])
    squares = squares[np.arange(len(waveform)) % hop_length]
    return np.divide(waveform, squares, out=np.zeros_like(waveform), where=squares > 0)


def assert_close(actual, expected, tolerance=1e-5):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("frames", [1, 2, 13])
@pytest.mark.parametrize("name", ["hann", "hamming"])
@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop_length"),
    [(512, 512, 128), (512, 400, 160), (511, 400, 77), (401, 401, 100), (128, 100, 1), (64, 33, 40), (1, 1, 1)],
)
def test_inverse_equals_overlap_add_in_numpy(n_fft, win_length, hop_length, name, frames):
    values = spectrograms(1, frames, n_fft // 2 + 1, 1)
    layer = InverseSTFT(n_fft, win_length, hop_length, forward_window_name=f"{name}_window")
    actual = layer(values).numpy()
    assert actual.dtype == np.float32
    assert_close(actual[0, :, 0], overlap_add(values[0, :, :, 0], n_fft, win_length, hop_length, name))


def test_the_default_window_has_n_fft_samples_and_the_default_hop_a_quarter_of_them():
    values = spectrograms(1, 5, 1025, 1)
    assert_close(InverseSTFT()(values).numpy()[0, :, 0], overlap_add(values[0, :, :, 0], 2048, 2048, 512))


def test_inverse_equals_librosa_where_all_frames_overlap():
    clip = 0.1 * np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    spectrum = librosa.stft(clip, n_fft=512, hop_length=128, center=False)
    spectrum[:, 5:9] *= 0.1  # no waveform has this spectrogram
    expected = librosa.istft(spectrum, n_fft=512, hop_length=128, center=False)
    actual = InverseSTFT(512, hop_length=128)(spectrum.T[None, :, :, None]).numpy()[0, :, 0]
    assert_close(actual[384:-384], expected[384:-384])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("output_data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("input_data_format", ["channels_last", "channels_first"])
def test_clips_and_channels_are_independent_in_every_data_format(input_data_format, output_data_format, channels):
    values = spectrograms(3, 7, 65, channels)
    expected = np.array([[overlap_add(clip[:, :, c], 128, 100, 30) for c in range(channels)] for clip in values])
    if output_data_format == "channels_last":
        expected = np.swapaxes(expected, 1, 2)
    given = values if input_data_format == "channels_last" else np.moveaxis(values, -1, 1)
    layer = InverseSTFT(128, 100, 30, input_data_format=input_data_format, output_data_format=output_data_format)
    assert_close(layer(given).numpy(), expected)


def test_samples_that_no_window_reaches_are_zero_and_not_nan():
    ones = np.ones((1, 3, 9, 1), np.complex64)
    waveform = InverseSTFT(16, hop_length=16)(ones).numpy()[0, :, 0]
    np.testing.assert_array_equal(waveform[::16], 0)
    assert np.isfinite(waveform).all()


def test_a_spectrogram_without_frames_gives_no_samples():
    empty = np.zeros((2, 0, 65, 3), np.complex64)
    layer = InverseSTFT(128, 100, 30)
    assert layer(empty).shape == layer.compute_output_shape(empty.shape) == (2, 0, 3)


@pytest.mark.cases(3)
@pytest.mark.parametrize("hop_length", [1, 7, 32, 64, 70])
def test_bits_do_not_depend_on_batch_channels_or_graph(hop_length):
    values = spectrograms(17, 9, 33, 2)
    layer = InverseSTFT(64, hop_length=hop_length)
    expected = layer(values).numpy()
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 33, None], tf.complex64)])
    of_known_shape = tf.function(layer)
    for compute in (layer, graph, of_known_shape):
        np.testing.assert_array_equal(compute(values), expected)
        for start, stop in ((0, 1), (3, 5), (1, 17)):
            np.testing.assert_array_equal(compute(values[start:stop, :, :, :1]), expected[start:stop, :, :1])


def test_under_a_float64_policy_values_keep_their_precision():
    noise = np.random.default_rng(0).standard_normal((2, 1, 8, 129, 1))
    values = noise[0] + 1j * noise[1]
    actual = InverseSTFT(256, 200, 64, dtype="float64")(values).numpy()
    assert actual.dtype == np.float64
    assert_close(actual[0, :, 0], overlap_add(values[0, :, :, 0], 256, 200, 64), tolerance=1e-13)
    assert InverseSTFT(256, 200, 64)(values).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_real_values_are_refused(dtype):
    with pytest.raises(ArgumentError, match=f"must be complex.*{dtype}.*after an STFT"):
        InverseSTFT(256)(np.ones((1, 2, 129, 1), dtype))


def test_a_wrong_rank_or_number_of_bins_is_refused():
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\).*shape=\(2, 129, 1\)"):
        InverseSTFT(256)(np.ones((2, 129, 1), np.complex64))
    with pytest.raises(ArgumentError, match=r"with 129 bins.*shape=\(1, 2, 128, 1\).*same n_fft"):
        InverseSTFT(256)(np.ones((1, 2, 128, 1), np.complex64))
    with pytest.raises(ArgumentError, match=r"\(batch, channels, frames, bins\) with 129 bins"):
        InverseSTFT(256, input_data_format="channels_first")(
            STFT(256, output_data_format="channels_last")(tf.ones([1, 999, 1]))
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_fft": 0}, "n_fft=0"),
        ({"hop_length": 0}, "hop_length=0"),
        ({"n_fft": 512, "win_length": 600}, "win_length=600, n_fft=512"),
        ({"forward_window_name": "hann"}, "'hann'"),
        ({"input_data_format": "NCHW"}, "input_data_format='NCHW'"),
        ({"output_data_format": None}, "output_data_format=None"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        layers.InverseSTFT(**arguments)

"""Tests of `STFT` against a loop of NumPy transforms and librosa."""

import keras
import librosa
import numpy as np
import pytest
import references
import scipy.signal

from audiopipe.errors import ArgumentError
from audiopipe.layers import STFT


def waveforms(batch, time, channels, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((batch, time, channels)).astype(np.float32)


def assert_close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("pad_end", [False, True], ids=["", "pad_end"])
@pytest.mark.parametrize("pad_begin", [False, True], ids=["", "pad_begin"])
@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop_length"),
    [(512, 512, 128), (512, 400, 160), (511, 400, 100), (401, 401, 100), (512, 333, 333), (128, 128, 200)],
)
def test_stft_equals_a_loop_of_numpy_transforms(n_fft, win_length, hop_length, pad_begin, pad_end):
    clip = waveforms(1, 2000, 1)
    layer = STFT(n_fft, win_length, hop_length, pad_begin=pad_begin, pad_end=pad_end)
    expected = references.stft(clip[0, :, 0], n_fft, win_length, hop_length, pad_begin, pad_end)
    actual = layer(clip).numpy()
    assert actual.dtype == np.complex64
    assert_close(actual[0, :, :, 0], expected)


def test_the_default_window_has_n_fft_samples_and_the_default_hop_a_quarter_of_them():
    clip = waveforms(1, 5000, 1)
    assert_close(STFT()(clip).numpy()[0, :, :, 0], references.stft(clip[0, :, 0], 2048, 2048, 512))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("output_data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("input_data_format", ["channels_last", "channels_first"])
def test_clips_and_channels_are_independent_in_every_data_format(input_data_format, output_data_format, channels):
    batch = waveforms(3, 700, channels)
    spectrograms = [[references.stft(clip[:, c], 256, 200, 64) for c in range(channels)] for clip in batch]
    expected = np.array(spectrograms)
    if output_data_format == "channels_last":
        expected = np.moveaxis(expected, 1, -1)
    given = batch if input_data_format == "channels_last" else np.swapaxes(batch, 1, 2)
    layer = STFT(256, 200, 64, input_data_format=input_data_format, output_data_format=output_data_format)
    assert_close(layer(given).numpy(), expected)


@pytest.mark.parametrize(("n_fft", "hop_length", "window"), [(512, 128, "hann"), (1024, 300, "hamming")])
def test_stft_equals_librosa(n_fft, hop_length, window):
    clip = waveforms(1, 4000, 1)
    expected = librosa.stft(clip[0, :, 0], n_fft=n_fft, hop_length=hop_length, window=window, center=False).T
    actual = STFT(n_fft, hop_length=hop_length, window_name=f"{window}_window")(clip).numpy()[0, :, :, 0]
    assert_close(actual, expected)


def test_under_a_float64_policy_samples_and_window_keep_their_precision():
    clip = np.random.default_rng(0).standard_normal((1, 900, 1))
    actual = STFT(256, 200, 64, dtype="float64")(clip).numpy()
    assert actual.dtype == np.complex128
    assert_close(actual[0, :, :, 0], references.stft(clip[0, :, 0], 256, 200, 64), tolerance=1e-13)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_policies_do_not_affect_the_transform(policy):
    clip = waveforms(1, 900, 1)
    actual = STFT(256, 200, 64, dtype=policy)(clip).numpy()
    assert actual.dtype == np.complex64
    assert_close(actual[0, :, :, 0], references.stft(clip[0, :, 0], 256, 200, 64))


@pytest.mark.parametrize("n_fft", [256, 300])
@pytest.mark.parametrize(("time", "frames"), [(0, 0), (255, 0), (256, 1), (319, 1), (320, 2)])
def test_a_clip_shorter_than_a_frame_has_no_frames(time, frames, n_fft):
    layer = STFT(n_fft, win_length=256, hop_length=64)
    assert layer(np.ones((2, time, 1), np.float32)).shape == (2, frames, n_fft // 2 + 1, 1)
    assert layer.compute_output_shape((2, time, 1)) == (2, frames, n_fft // 2 + 1, 1)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_default_data_format_follows_the_setting_of_keras(keras_settings, data_format):
    keras_settings.set_image_data_format(data_format)
    layer = STFT(256, hop_length=64)
    keras_settings.set_image_data_format("channels_last")
    assert (layer.input_data_format, layer.output_data_format) == (data_format, data_format)
    assert STFT.from_config(layer.get_config()).output_data_format == data_format


@pytest.mark.parametrize("shape", [(16000,), (1, 16000), (1, 1, 16000, 1)])
def test_any_rank_but_three_is_refused_with_the_layout(shape):
    message = r"of rank 3, \(batch, time, channels\).*waveform\[None, :, None\]"
    with pytest.raises(ArgumentError, match=message) as caught:
        STFT(256)(np.zeros(shape, np.float32))
    assert str(shape) in str(caught.value)
    with pytest.raises(ArgumentError, match=r"\(batch, channels, time\)"):
        STFT(256, input_data_format="channels_first")(keras.KerasTensor(shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_fft": -1}, "n_fft must be at least 1. Received: n_fft=-1"),
        ({"n_fft": True}, "n_fft=True"),
        ({"hop_length": 0}, "hop_length=0"),
        ({"n_fft": 512, "win_length": 600}, "win_length=600, n_fft=512"),
        ({"window_name": "hann"}, "window_name='hann'"),
        ({"window_name": "vorbis_window", "win_length": 401}, "win_length=401"),
        ({"input_data_format": "NCHW"}, "input_data_format must be one of 'default', .*input_data_format='NCHW'"),
        ({"output_data_format": None}, "output_data_format=None"),
        ({"periodic": 1}, "periodic must be True or False. Received: periodic=1"),
        ({"periodic": True, "window_name": "povey_window"}, "povey_window is always symmetric.*periodic=True"),
        ({"periodic": True, "window": [1.0] * 2048}, "periodic must be None if window is given"),
        ({"remove_dc_offset": 1}, "remove_dc_offset must be True or False. Received: remove_dc_offset=1"),
        ({"preemphasis": -0.1}, "preemphasis must be at least 0. Received: preemphasis=-0.1"),
        ({"preemphasis": 1.0}, "preemphasis must be less than 1. Received: preemphasis=1.0"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        STFT(**arguments)


def test_a_custom_window_replaces_a_named_one():
    clip, window = waveforms(1, 1000, 1), np.linspace(0.1, 1.0, 200)
    frames = np.array([clip[0, start : start + 200, 0] * window for start in range(0, 801, 64)])
    layer = STFT(256, 200, 64, window=window)
    assert_close(layer(clip).numpy()[0, :, :, 0], np.fft.rfft(frames, 256))
    assert layer.get_config()["window"] == window.tolist()
    with pytest.raises(
        ArgumentError, match=r"window_name must be None if window is given. Received: window_name='hann_window'"
    ):
        STFT(256, window_name="hann_window", window=window)
    with pytest.raises(ArgumentError, match=r"window must be 256 numbers.*shape=\(200,\)"):
        STFT(256, window=window)


def kaldi_frames(clip, win_length, hop_length, remove_dc_offset, preemphasis, window):
    """Processes the frames of one channel sample by sample, as Kaldi's `ProcessWindow` does."""
    frames = []
    for start in range(0, len(clip) - win_length + 1, hop_length):
        frame = clip[start : start + win_length].astype(np.float64)
        if remove_dc_offset:
            frame -= frame.sum() / win_length
        for i in range(win_length - 1, 0, -1):
            frame[i] -= preemphasis * frame[i - 1]
        frame[0] -= preemphasis * frame[0]
        frames.append(frame * window)
    return np.array(frames)


@pytest.mark.parametrize("offset", [0.0, 0.7])
@pytest.mark.parametrize(("remove_dc_offset", "preemphasis"), [(True, 0.0), (False, 0.97), (True, 0.97)])
def test_frames_lose_their_mean_and_are_preemphasized_as_in_kaldi(remove_dc_offset, preemphasis, offset):
    batch = waveforms(2, 1500, 2) + np.float32(offset)
    window = scipy.signal.windows.hann(400, sym=True) ** 0.85
    arguments = {"remove_dc_offset": remove_dc_offset, "preemphasis": preemphasis}
    layer = STFT(512, 400, 160, "povey_window", **arguments)
    double = STFT(512, 400, 160, "povey_window", **arguments, dtype="float64")
    for clip, result, accurate in zip(batch, layer(batch).numpy(), double(batch).numpy(), strict=True):
        for channel in range(2):
            frames = kaldi_frames(clip[:, channel], 400, 160, **arguments, window=window)
            assert_close(result[:, :, channel], np.fft.rfft(frames, 512), tolerance=2e-6)
            assert_close(accurate[:, :, channel], np.fft.rfft(frames, 512), tolerance=1e-13)


def test_a_large_offset_leaves_no_residue():
    quiet = 1e-4 * waveforms(1, 4000, 1, seed=1)
    constant = np.full_like(quiet, 0.9)
    found = STFT(512, 400, 160, remove_dc_offset=True)(constant).numpy()
    # Each of the two passes leaves at most the rounding error of a sum of 400 values.
    assert np.abs(found).max() < (400 * 2.0**-24) ** 2 * np.abs(STFT(512, 400, 160)(constant)).max()
    # 0.5 + quiet has coarser samples than quiet, so the clip is rounded to them first.
    rounded = (np.float32(0.5) + quiet) - np.float32(0.5)
    layer = STFT(512, 400, 160, remove_dc_offset=True)
    assert_close(layer(rounded + np.float32(0.5)).numpy(), layer(rounded).numpy(), tolerance=2e-6)


@pytest.mark.parametrize("win_length", [1, 2, 3])
def test_frames_of_a_few_samples_are_preemphasized_too(win_length):
    clip = waveforms(1, 6, 1)
    window = np.ones(win_length)
    layer = STFT(4, win_length, 1, "rectangular_window", preemphasis=0.5)
    expected = np.fft.rfft(kaldi_frames(clip[0, :, 0], win_length, 1, False, 0.5, window), 4)
    assert_close(layer(clip).numpy()[0, :, :, 0], expected)


def test_the_mean_of_a_frame_does_not_depend_on_other_frames_clips_or_channels():
    batch = waveforms(3, 2000, 2, seed=2) + np.float32(0.3)
    layer = STFT(512, 401, 99, remove_dc_offset=True, preemphasis=0.97)
    together = layer(batch).numpy()
    for start, frames in [(0, 1), (3, 2), (5, 9)]:
        piece = batch[1:2, start * 99 : (start + frames - 1) * 99 + 401, 1:]
        np.testing.assert_array_equal(layer(piece).numpy()[0, :, :, 0], together[1, start : start + frames, :, 1])


def test_a_hann_window_can_be_symmetric_or_periodic():
    clip = waveforms(1, 600, 1)
    for periodic in (False, True):
        window = scipy.signal.get_window("hann", 300, fftbins=periodic)
        expected = np.fft.rfft([clip[0, start : start + 300, 0] * window for start in (0, 150, 300)], 512)
        assert_close(STFT(512, 300, 150, periodic=periodic)(clip).numpy()[0, :, :, 0], expected, tolerance=1e-6)


def test_arguments_of_later_versions_are_saved_only_if_they_are_used():
    added = {"periodic": False, "remove_dc_offset": True, "preemphasis": 0.5}
    plain, other = STFT(256, name="stft").get_config(), STFT(256, name="stft", **added).get_config()
    assert {name: value for name, value in other.items() if name not in plain} == added
    assert {**plain, **added} == other

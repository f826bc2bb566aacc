"""Number of frames that hold audio."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe import configs

WHISPER = configs.WhisperLogMel()


@pytest.mark.parametrize(
    ("n_samples", "valid"), [(1, 1), (160, 1), (161, 2), (16000, 100), (480_000, 3000), (480_001, 3000), (10**9, 3000)]
)
def test_frames_of_a_chunk_are_valid_if_their_hop_starts_in_the_clip(n_samples, valid):
    assert WHISPER.valid_frames(n_samples) == valid
    assert WHISPER.n_frames(n_samples) == 3000


def test_whisper_without_a_chunk_has_only_valid_frames():
    config = configs.WhisperLogMel(chunk_seconds=None)
    assert config.valid_frames(16100) == config.n_frames(16100) == 100


@pytest.mark.parametrize("config", [WHISPER, configs.MelSpectrogram(), configs.KerasMelSpectrogram()])
def test_valid_frames_have_the_kind_of_the_samples_and_are_at_most_all_frames(config):
    sizes = np.array([200, 30000, 700_000])
    expected = [config.valid_frames(int(size)) for size in sizes]
    assert config.valid_frames(sizes).tolist() == expected
    assert config.valid_frames(tf.constant(sizes)).numpy().tolist() == expected
    assert all(expected <= config.n_frames(sizes))


def test_a_chunk_keeps_the_samples_that_its_frames_start_in():
    assert [WHISPER.kept_samples(size) for size in (0, 160, 480_000, 480_001)] == [0, 160, 480_000, 480_000]
    assert WHISPER.pads_clips
    for config in (configs.WhisperLogMel(chunk_seconds=None), configs.MelSpectrogram()):
        assert config.kept_samples(10**9) == 10**9
        assert not config.pads_clips


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_kept_samples_have_the_kind_of_the_samples(dtype):
    config = configs.WhisperLogMel(chunk_seconds=0.5)
    sizes = np.array([0, 7999, 8000, 60_000], dtype)
    assert config.kept_samples(sizes).tolist() == [0, 7999, 8000, 8000]
    assert config.kept_samples(tf.constant(sizes.astype(np.int64))).numpy().tolist() == [0, 7999, 8000, 8000]

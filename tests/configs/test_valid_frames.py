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

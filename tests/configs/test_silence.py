"""Silence and padding of configs."""

import dataclasses
import pickle

import numpy as np
import pytest
import tensorflow as tf
from silent_configs import EXAMPLES

from audiopipe import configs
from audiopipe.errors import ConfigError, ForkError
from audiopipe.runtime import forks


def test_every_config_class_has_an_example():
    own = {name for name in dir(configs) if isinstance(getattr(configs, name), type)} - {"Config", "Standardization"}
    assert own == {type(config).__name__ for config in EXAMPLES.values()}


def test_silence_is_a_float_if_one_value_fits_all_bins_and_channels():
    assert {name: config.silence for name, config in EXAMPLES.items() if isinstance(config.silence, float)} == {
        "Stft": 0.0,
        "StftMagnitude": 0.0,
        "decibel-kept-channels": -50.0,
        "MelSpectrogram": pytest.approx(-50 - 10 * np.log10(30), abs=1e-5),
        "LogFrequencySpectrogram": -50.0,
        "KerasMelSpectrogram": -100.0,
        "WhisperLogMel": pytest.approx(-1.5, abs=1e-6),
        "whisper-without-chunk": pytest.approx(-1.5, abs=1e-6),
        "NormalizedWaveform": 0.0,
        "LogMel": pytest.approx(np.log(1e-10), abs=1e-5),
        "padding-unlike-silence": pytest.approx(np.log(1e-10) - 2, abs=1e-5),
    }
    assert EXAMPLES["padding-unlike-silence"].padding == -2.0


def test_silence_of_a_cepstrum_is_in_its_first_coefficient():
    silence = EXAMPLES["Mfcc"].silence
    assert silence.shape == (10, 1)
    np.testing.assert_allclose(silence[:, 0], [np.sqrt(7) * np.log(1e-10), *[0] * 9], atol=1e-4)
    assert EXAMPLES["Mfcc"].padding is silence


def test_silence_of_two_quantities_broadcasts_to_bins_and_channels():
    assert EXAMPLES["StftMagPhase"].silence.tolist() == [[-30, -30, 0, 0]]
    assert EXAMPLES["phase-kept-channels"].silence.tolist() == [[-50, 0]]
    assert EXAMPLES["phase-channels-first"].silence.tolist() == [[-50, 0]]
    assert EXAMPLES["phase-channels-first"].silence.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        EXAMPLES["StftMagPhase"].silence[:] = 0


def test_silence_differs_between_bins_if_the_feature_does(monkeypatch):
    config = dataclasses.replace(EXAMPLES["phase-kept-channels"], n_fft=8, hop_length=2, win_length=8)
    tilt = np.arange(5, dtype=np.float32)[:, None]
    monkeypatch.setattr(type(config), "padding", tilt)
    for channels in (1, 2, 3):
        assert config.padding_frame(channels).shape == (1, 5, 2 * channels)
        assert (config.padding_frame(channels) == tilt).all()
    monkeypatch.setattr(type(config), "padding", tilt * [1, -1])
    np.testing.assert_array_equal(config.padding_frame(2)[0], tilt * [1, 1, -1, -1])


def test_silence_is_computed_once_and_is_no_part_of_the_config():
    config = dataclasses.replace(EXAMPLES["phase-kept-channels"])
    before = pickle.dumps(config)
    assert config.silence is config.silence
    assert pickle.dumps(config) == before
    assert config == EXAMPLES["phase-kept-channels"]


def test_silence_can_be_used_first_in_a_graph_and_under_any_dtype_policy():
    import keras

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        config = configs.WhisperLogMel(n_mels=3)
        dataset = tf.data.Dataset.range(1).map(lambda _: tf.constant(config.silence))
        assert next(iter(dataset)).numpy() == EXAMPLES["WhisperLogMel"].silence
    finally:
        keras.config.set_dtype_policy(policy)


def test_silence_is_not_computed_in_a_process_that_was_forked_after_tensorflow_had_run(monkeypatch):
    monkeypatch.setattr(forks, "_parent_that_computed", 1)
    with pytest.raises(ForkError, match="forked"):
        _ = configs.StftMagnitude().silence


def test_a_class_without_frames_is_an_error(monkeypatch):
    config = dataclasses.replace(EXAMPLES["StftMagnitude"])
    monkeypatch.setattr(type(config), "n_frames", lambda self, n_samples: 0)
    with pytest.raises(ConfigError, match=r"A long clip must have at least one valid frame.*StftMagnitude\.valid_"):
        _ = config.silence

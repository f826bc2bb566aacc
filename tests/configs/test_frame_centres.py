"""Centres of frames, compared with the frames that respond most to an impulse."""

import dataclasses

import numpy as np
import pytest

from audiopipe import configs
from audiopipe.configs.base import Config
from audiopipe.errors import ConfigError

RATE = 1000
FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
STFT = configs.StftMagnitude(sample_rate=RATE, n_fft=64, hop_length=24, **FIXED)
KERAS = configs.KerasMelSpectrogram(
    sample_rate=RATE, fft_length=64, sequence_stride=24, num_mel_bins=4, min_freq=0.0, power_to_db=False, **FIXED
)
WHISPER = configs.WhisperLogMel(n_mels=8, **FIXED)
CASES = {
    "stft": STFT,
    "short window": dataclasses.replace(STFT, win_length=40),
    "odd window": dataclasses.replace(STFT, win_length=41),
    "hop longer than the window": dataclasses.replace(STFT, win_length=20),
    "padding before": dataclasses.replace(STFT, pad_begin=True),
    "padding on both sides": dataclasses.replace(STFT, pad_begin=True, pad_end=True),
    "symmetric window": dataclasses.replace(STFT, window_name="vorbis_window"),
    "Kaiser window": dataclasses.replace(STFT, window_name="kaiser_window"),
    "mel": configs.MelSpectrogram(sample_rate=RATE, n_fft=64, hop_length=24, n_mels=4, **FIXED),
    "log frequency": configs.LogFrequencySpectrogram(
        sample_rate=RATE, n_fft=64, hop_length=24, log_n_bins=3, log_f_min=100.0, log_spread=2.0, **FIXED
    ),
    "magnitude and phase": configs.StftMagPhase(sample_rate=RATE, n_fft=64, hop_length=24, **FIXED),
    "real and imaginary parts": configs.Stft(sample_rate=RATE, n_fft=64, hop_length=24, **FIXED),
    "Keras": KERAS,
    "Keras, short window": dataclasses.replace(KERAS, sequence_length=48, window="hamming"),
    "Keras, odd lengths": dataclasses.replace(KERAS, fft_length=63, sequence_length=41),
    "Keras, own window": dataclasses.replace(KERAS, sequence_length=48, window=tuple(np.hanning(48))),
    "Keras, no window": dataclasses.replace(KERAS, window=None),
    "Whisper": dataclasses.replace(WHISPER, chunk_seconds=0.5),
    "Whisper without a chunk": dataclasses.replace(WHISPER, chunk_seconds=None),
}


def energy(config, places, samples):
    """Returns the response of each frame to impulses at some samples: `[impulses, frames]`."""
    clips = np.zeros((len(places), samples, 1), np.float32)
    clips[np.arange(len(places)), places] = 1.0
    values = config.layer()(clips).numpy().astype(np.float64)
    if "phase" in config.quantities:
        values = values[..., :1]
    if config.quantities == ("scaled log power",):
        values -= values.min()
    return np.square(values).sum(axis=(2, 3))


@pytest.mark.parametrize("case", CASES)
def test_the_frame_with_the_nearest_centre_responds_most_to_an_impulse(case):
    config = CASES[case]
    samples, hop = (2400, 160) if isinstance(config, configs.WhisperLogMel) else (400, 24)
    centres = config.frame_centres(config.n_frames(samples)) * config.sample_rate
    np.testing.assert_allclose(np.diff(centres), hop)
    places = np.arange(samples // 2, samples // 2 + hop, hop // 12)
    for place, found in zip(places, energy(config, places, samples), strict=True):
        distances = np.abs(centres - place)
        if found.max() == 0:  # between two windows
            assert distances.min() >= (config.win_length - 1) / 2
            continue
        strongest = np.flatnonzero(np.isclose(found, found.max(), rtol=1e-4))
        assert distances[strongest].min() == pytest.approx(distances.min(), abs=1e-6)


def test_the_centre_of_an_own_window_is_that_of_its_energy():
    config = dataclasses.replace(KERAS, sequence_length=4, window=(0.0, 0.0, -3.0, 0.0))
    np.testing.assert_allclose(config.frame_centres(2), config.frame_times(2) + 2 / RATE)
    silent = dataclasses.replace(KERAS, sequence_length=4, window=(0.0,) * 4)
    np.testing.assert_allclose(silent.frame_centres(2), silent.frame_times(2) + 1.5 / RATE)


def test_centres_of_a_huge_transform_take_no_memory():
    config = configs.StftMagnitude(sample_rate=RATE, n_fft=2**30, hop_length=2**20)
    assert config.frame_centres(2).tolist() == [2**29 / RATE, (2**29 + 2**20) / RATE]


def test_a_config_class_must_define_its_centres():
    with pytest.raises(ConfigError, match="must define `frame_centres`"):
        Config.frame_centres(STFT, 3)

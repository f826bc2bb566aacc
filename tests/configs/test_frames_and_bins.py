"""Frames, bins, channels and quantities of the feature that a config describes."""

import dataclasses

import numpy as np
import pytest

from audiopipe.configs import (
    KerasMelSpectrogram,
    LogFrequencySpectrogram,
    MelSpectrogram,
    Stft,
    StftMagnitude,
    StftMagPhase,
    WhisperLogMel,
)


def test_frequencies_of_bins_equal_independent_formulas():
    librosa = pytest.importorskip("librosa")
    np.testing.assert_allclose(
        StftMagnitude(sample_rate=16000, n_fft=400).frequencies(), librosa.fft_frequencies(sr=16000, n_fft=400)
    )
    mel = MelSpectrogram(sample_rate=16000, n_fft=400, n_mels=40, mel_f_min=50.0)
    np.testing.assert_allclose(mel.frequencies(), librosa.mel_frequencies(42, fmin=50.0, fmax=8000.0)[1:-1], rtol=1e-9)
    log = LogFrequencySpectrogram()
    np.testing.assert_allclose(log.frequencies(), librosa.cqt_frequencies(84, fmin=32.70319566), rtol=1e-9)
    assert (mel.n_bins, log.n_bins) == (40, 84)


def test_the_number_of_bins_is_known_without_their_frequencies(monkeypatch):
    # A feature set from a stranger can name large numbers, and frequencies would take gigabytes.
    for config in (MelSpectrogram(n_mels=2**20), StftMagnitude(n_fft=2**21 - 2), WhisperLogMel(n_mels=2**20)):
        monkeypatch.setattr(type(config), "frequencies", None)
        assert config.n_bins == 2**20


def test_frame_times_are_negative_in_the_padding_before_the_clip():
    config = StftMagnitude(sample_rate=1000, n_fft=400, hop_length=100, pad_begin=True)
    np.testing.assert_allclose(config.frame_times(5), [-0.3, -0.2, -0.1, 0.0, 0.1])
    assert [config.n_frames(samples) for samples in (0, 99, 100, 250)] == [0, 0, 1, 2]


def test_feature_shape_follows_the_output_data_format():
    assert MelSpectrogram(output_data_format="channels_last").feature_shape(7, 2) == (7, 128, 2)
    assert MelSpectrogram(output_data_format="channels_first").feature_shape(None, 2) == (2, None, 128)


@pytest.mark.parametrize(
    ("config", "quantities"),
    [
        (StftMagnitude(), ("magnitude",)),
        (MelSpectrogram(return_decibel=True), ("decibel",)),
        (Stft(), ("real part", "imaginary part")),
        (StftMagPhase(), ("magnitude", "phase")),
        (StftMagPhase(return_decibel=True), ("decibel", "phase")),
        (KerasMelSpectrogram(), ("decibel",)),
        (KerasMelSpectrogram(power_to_db=False), ("power",)),
        (KerasMelSpectrogram(power_to_db=False, mag_exp=1), ("magnitude",)),
        (WhisperLogMel(), ("scaled log power",)),
    ],
)
def test_a_feature_has_channels_for_each_quantity(config, quantities):
    config = dataclasses.replace(config, channels=3, output_data_format="channels_last")
    assert config.quantities == quantities
    assert config.feature_channels == 3 * len(quantities)
    assert dataclasses.replace(config, channels=None).feature_channels is None
    assert config.n_bins == len(config.frequencies())
    assert config.feature_shape(7, 3) == (7, config.n_bins, 3 * len(quantities))
    assert config.feature_shape(7, None) == (7, config.n_bins, None)
    first = dataclasses.replace(config, output_data_format="channels_first")
    assert first.feature_shape(None, 2) == (2 * len(quantities), None, config.n_bins)


def test_frames_of_the_keras_config_are_centred():
    config = KerasMelSpectrogram(sample_rate=1000, fft_length=400, sequence_length=300, sequence_stride=100)
    starts = config.frame_times(4)
    np.testing.assert_allclose(starts, [-0.15, -0.05, 0.05, 0.15])
    assert [config.n_frames(samples) for samples in (0, 1, 99, 100, 250)] == [0, 1, 1, 2, 3]


def test_frequencies_of_the_keras_config_are_the_peaks_of_its_filters():
    import keras

    config = KerasMelSpectrogram(fft_length=16384, num_mel_bins=20, min_freq=100.0)
    matrix = keras.layers.MelSpectrogram().linear_to_mel_weight_matrix(20, 8193, 16000, 100.0, 8000.0).numpy()
    np.testing.assert_allclose(config.frequencies(), matrix.argmax(axis=0) * 16000 / 16384, atol=1.0)
    assert config.n_bins == 20


@pytest.mark.parametrize(
    ("arguments", "quantity"),
    [({}, "decibel"), ({"power_to_db": False}, "power"), ({"power_to_db": False, "mag_exp": 1.0}, "magnitude")],
)
def test_the_keras_config_names_its_quantity(arguments, quantity):
    assert KerasMelSpectrogram(**arguments).quantities == (quantity,)


def test_frames_of_the_whisper_config_are_centred():
    starts = WhisperLogMel().frame_times(3000)
    np.testing.assert_allclose(starts[[0, 1, 2999]], [-0.0125, -0.0025, 29.9775])
    assert [WhisperLogMel().n_frames(samples) for samples in (0, 1, 480_000, 1_000_000)] == [3000] * 4
    assert [WhisperLogMel(chunk_seconds=None).n_frames(samples) for samples in (0, 159, 160, 16000)] == [0, 0, 1, 100]


def test_frequencies_of_the_whisper_config_are_the_peaks_of_its_filters():
    librosa = pytest.importorskip("librosa")
    config = WhisperLogMel(n_mels=20)
    matrix = librosa.filters.mel(sr=16000, n_fft=16384, n_mels=20)
    np.testing.assert_allclose(config.frequencies(), matrix.argmax(axis=1) * 16000 / 16384, atol=1.0)
    assert config.n_bins == 20

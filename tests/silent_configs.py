"""Configs of every class, with one and several channels and quantities, for tests of silence and padding."""

import functools

import numpy as np

from audiopipe import Transform, configs, registry

LAST = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
FIRST = {"input_data_format": "channels_first", "output_data_format": "channels_first"}
SMALL = {"sample_rate": 8000, "n_fft": 64, "hop_length": 25}

EXAMPLES = {
    "Stft": configs.Stft(**SMALL, **LAST),
    "StftMagnitude": configs.StftMagnitude(**SMALL, **LAST, pad_begin=True, channels=2),
    "decibel-kept-channels": configs.StftMagnitude(**SMALL, **LAST, channels=None, return_decibel=True),
    "StftMagPhase": configs.StftMagPhase(**SMALL, **LAST, channels=2, return_decibel=True, db_amin=1e-3),
    "phase-kept-channels": configs.StftMagPhase(**SMALL, **LAST, channels=None, return_decibel=True),
    "phase-channels-first": configs.StftMagPhase(**SMALL, **FIRST, channels=None, return_decibel=True),
    "MelSpectrogram": configs.MelSpectrogram(
        **SMALL, **FIRST, n_mels=7, return_decibel=True, db_ref_value=30.0, db_dynamic_range=20.0
    ),
    "LogFrequencySpectrogram": configs.LogFrequencySpectrogram(
        sample_rate=8000, n_fft=512, hop_length=200, log_n_bins=30, return_decibel=True, pad_end=True, **LAST
    ),
    "KerasMelSpectrogram": configs.KerasMelSpectrogram(
        sample_rate=8000, fft_length=64, sequence_stride=25, num_mel_bins=7, **LAST
    ),
    "WhisperLogMel": configs.WhisperLogMel(chunk_seconds=0.5, **LAST),
    "whisper-without-chunk": configs.WhisperLogMel(chunk_seconds=None, channels=None, **FIRST),
    "LogMel": configs.LogMel(**SMALL, **LAST, n_mels=7, edges="same"),
    "padding-unlike-silence": configs.LogMel(
        **SMALL, **FIRST, channels=None, n_mels=7, masked_frames=1, stack_frames=2, padding_value=0.0, center_value=2.0
    ),
    "NormalizedWaveform": configs.NormalizedWaveform(sample_rate=8000, channels=None),
    "Mfcc": configs.Mfcc(**SMALL, **LAST, n_mels=7, n_mfcc=5, deltas=1, fixed_frames=9),
}
# tests/front_ends compares the silence of all other built-in names with references, of which some are padded otherwise.
PRESET_NAMES = ("speech-mel-80", "music-mel-128", "music-log-84", "whisper-80", "whisper-128", "kaldi-fbank-80")
PRESETS = {name: registry.get(name) for name in PRESET_NAMES}


@functools.cache
def transform_of(name):
    """Returns the transform of an example or a preset, which tests share, because tracing takes long."""
    return Transform({**EXAMPLES, **PRESETS}[name])


def noise(lengths, channels, seed=0):
    """Returns clips of noise, each at another loudness, so that their dynamic ranges differ."""
    draw = np.random.default_rng(seed)
    return [
        (10.0 ** draw.uniform(-5, 0) * draw.uniform(-1, 1, (length, channels))).astype(np.float32) for length in lengths
    ]


def channels_of(config):
    """Numbers of channels of clips that a config takes without mixing."""
    return [1, 2, 3] if config.channels is None else [config.channels]


def padding_of(config, n_frames, channels):
    """Returns frames of padding in the shape of the feature, computed without the code under test."""
    return frames_of(config.padding, config, n_frames, channels)


def frames_of(padding, config, n_frames, channels):
    """Returns frames of padding or silence in the shape of the feature."""
    shape = (n_frames, config.n_bins, len(config.quantities), channels)
    padding = np.asarray(padding, np.float32)
    if config.channels is not None and padding.ndim and padding.shape[-1] > 1:
        padding = padding.reshape(*padding.shape[:-1], len(config.quantities), channels)
    elif padding.ndim:
        padding = padding[..., None]
    frames = np.broadcast_to(padding, shape).reshape(n_frames, config.n_bins, len(config.quantities) * channels)
    return np.moveaxis(frames, -1, 0) if config.output_data_format == "channels_first" else frames

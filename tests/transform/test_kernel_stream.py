"""Tests of `Kernel.stream`, which computes a clip in blocks of frames."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe import Transform, configs
from audiopipe.errors import ArgumentError
from audiopipe.transform import block_graphs
from audiopipe.transform.kernel import Kernel

STFT = {"sample_rate": 8000, "n_fft": 128, "hop_length": 50, "pad_begin": True, "pad_end": True}
LAST = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
FIRST = {"input_data_format": "channels_first", "output_data_format": "channels_first"}
LOG_MEL = {"sample_rate": 8000, "n_fft": 128, "win_length": 101, "hop_length": 50, "n_mels": 7, **LAST}
DECIBEL = {"return_decibel": True, "db_dynamic_range": 30.0}

CASES = {
    "magnitude": configs.StftMagnitude(**STFT, **LAST),
    "odd sizes": configs.StftMagnitude(sample_rate=8000, n_fft=125, win_length=101, hop_length=37, **DECIBEL, **LAST),
    "hop of one": configs.StftMagnitude(sample_rate=8000, n_fft=16, hop_length=1, pad_begin=True, **DECIBEL, **LAST),
    "hop beyond window": configs.StftMagnitude(sample_rate=8000, n_fft=64, hop_length=91, pad_end=True, **LAST),
    "mel": configs.MelSpectrogram(**STFT, n_mels=11, **DECIBEL, **LAST),
    "mel, stereo": configs.MelSpectrogram(**STFT, n_mels=11, channels=2, **DECIBEL, **FIRST),
    "mel, any channels": configs.MelSpectrogram(**STFT, n_mels=5, channels=None, **DECIBEL, **LAST),
    "log": configs.LogFrequencySpectrogram(
        **{**STFT, "n_fft": 512}, log_n_bins=21, log_f_min=500.0, log_bins_per_octave=7, **DECIBEL, **LAST
    ),
    "parts": configs.Stft(**STFT, channels=2, **FIRST),
    "phase": configs.StftMagPhase(**STFT, channels=2, **LAST),
    "phase, decibel": configs.StftMagPhase(**STFT, channels=2, **DECIBEL, **FIRST),
    "keras": configs.KerasMelSpectrogram(sample_rate=8000, fft_length=128, sequence_stride=50, num_mel_bins=7, **LAST),
    "whisper, whole clips": configs.WhisperLogMel(n_mels=7, chunk_seconds=None, **LAST),
    "center, reflected, pre-emphasis": configs.LogMel(
        **LOG_MEL, pad_mode="reflect", gain=32768.0, preemphasis=0.97, preemphasis_of="waveform", log="db", top_db=30.0
    ),
    "center, fixed": configs.LogMel(**LOG_MEL, fixed_frames=9, channels=2),
    "same, normalized, masked": configs.LogMel(**LOG_MEL, edges="same", normalization="clip", masked_frames=1),
    "midpoint, stacked": configs.LogMel(**LOG_MEL, edges="midpoint", stack_frames=3, channel=1),
    "snip, in the middle of a frame": configs.LogMel(**LOG_MEL, edges="snip", window_position="center", channels=None),
    "cepstra": configs.Mfcc(**LOG_MEL, n_mfcc=4, deltas=2, delta_mode="interp"),
    "whisper": configs.WhisperLogMel(n_mels=7, chunk_seconds=0.05, **LAST),
}


def clip(n_samples):
    """Returns a clip with its maximum near the end, so that earlier blocks cannot know the dynamic range."""
    loudness = np.geomspace(1e-6, 1, n_samples)[:, None]
    return (loudness * np.random.default_rng(n_samples).uniform(-0.5, 0.5, (n_samples, 2))).astype(np.float32)


def blocks(samples, size):
    return [samples[start : start + size] for start in range(0, len(samples), size)]


@pytest.mark.cases(3)
@pytest.mark.parametrize("name", CASES)
def test_blocks_of_any_size_give_the_bits_of_the_whole_clip(monkeypatch, name):
    whole = Kernel(CASES[name])
    for n_samples in (700, 1203):
        samples = clip(n_samples)
        expected = whole.clip(samples).numpy()
        for frames, size in ((1, 1000), (3, 77), (7, 2000)):
            monkeypatch.setattr(block_graphs, "BLOCK_VALUES", frames * getattr(whole.config.framing, "n_fft", 1))
            found = whole.stream(blocks(samples, size)).numpy()
            np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32), strict=True)


@pytest.mark.cases(3)
@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].framing])
def test_no_call_computes_more_frames_than_one_block(monkeypatch, name):
    streaming = Kernel(CASES[name])
    monkeypatch.setattr(block_graphs, "BLOCK_VALUES", 4 * streaming.config.framing.n_fft)
    assert streaming.blocks.are_possible  # some layers compute the value of silence when they are made
    seen = []
    rfft = tf.signal.rfft

    def watch(frames, *arguments):
        tf.py_function(lambda count: seen.append(int(count)), [tf.shape(frames)[-2]], [])
        return rfft(frames, *arguments)

    monkeypatch.setattr(tf.signal, "rfft", watch)
    streaming.stream(blocks(clip(1203), 100))
    frames, most = streaming.config.framing.n_frames(1203), streaming.blocks.most_frames
    expected = [4] * (frames // 4) + [frames % 4] * (frames % 4 > 0)
    assert seen == (expected if most is None else expected[: -(-most // 4)])


def test_decibels_in_blocks_are_relative_to_the_maximum_of_the_clip(monkeypatch, reference):
    config = configs.StftMagnitude(sample_rate=8000, n_fft=128, hop_length=50, **DECIBEL, **LAST)
    monkeypatch.setattr(block_graphs, "BLOCK_VALUES", 2 * config.n_fft)
    samples = clip(3000)[:, :1]
    feature = Kernel(config).stream(blocks(samples, 400)).numpy()
    np.testing.assert_allclose(feature, reference(samples, config), atol=1e-3)
    assert np.ptp(feature) == pytest.approx(30.0, abs=1e-4)
    assert feature[0].max() == feature.min()


def test_blocks_are_not_used_if_the_framing_contradicts_the_layers(monkeypatch):
    config = configs.LogMel(**LOG_MEL)
    plain = configs.LogMel(**LOG_MEL, edges="snip").framing
    monkeypatch.setattr(configs.LogMel, "framing", property(lambda self: plain))
    monkeypatch.setattr(block_graphs, "BLOCK_VALUES", 128)
    found = Kernel(config).stream(blocks(clip(700), 100)).numpy()
    np.testing.assert_array_equal(found, Kernel(config).clip(clip(700)).numpy())
    with pytest.raises(ArgumentError, match="Correct `framing`"):
        Transform(config).stream()

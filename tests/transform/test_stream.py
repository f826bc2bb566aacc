"""Tests of `Transform.stream`: the bits of the whole clip, and every frame as soon as it can be known."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import Transform, configs
from audiopipe.errors import ArgumentError

LAST = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
FIRST = {"input_data_format": "channels_first", "output_data_format": "channels_first"}
SMALL = {"sample_rate": 8000, "n_fft": 64, "win_length": 50, "hop_length": 20, "n_mels": 5, **LAST}
MFCC = {**SMALL, "n_mfcc": 4}
STFT = {"sample_rate": 8000, "n_fft": 64, "hop_length": 20}
KERAS = {"sample_rate": 8000, "fft_length": 64, "sequence_stride": 25, "num_mel_bins": 5, "power_to_db": False}

CONFIGS = {
    "center": configs.LogMel(**SMALL),
    "center, reflected, pre-emphasis": configs.LogMel(
        **SMALL, pad_mode="reflect", gain=32768.0, preemphasis=0.97, preemphasis_of="waveform"
    ),
    "snip, window in the middle of a long frame": configs.LogMel(
        **SMALL, edges="snip", frame_length=71, window_position="center", channels=2
    ),
    "snip, plain, of Kaldi": configs.LogMel(
        **SMALL, edges="snip", window="povey", remove_dc_offset=True, preemphasis=0.97, gain=32768.0, channels=None
    ),
    "same, channels first, stacked": configs.LogMel(
        **{**SMALL, **FIRST}, edges="same", power=1.0, stack_frames=3, channels=2, center_value=-4.0, scale_value=8.0
    ),
    "midpoint, masked, stacked": configs.LogMel(**SMALL, edges="midpoint", masked_frames=2, stack_frames=2, log="db"),
    "hop beyond the window": configs.LogMel(**{**SMALL, "hop_length": 77}, pad_mode="symmetric", masked_frames=1),
    "channel 1": configs.LogMel(**{**SMALL, "n_mels": 2}, channel=1),
    "cepstra with slopes": configs.Mfcc(**MFCC, deltas=1, delta_width=5),
    "cepstra with acceleration, stacked": configs.Mfcc(**MFCC, edges="snip", deltas=2, delta_width=3, stack_frames=2),
    "cepstra, interpolated": configs.Mfcc(**MFCC, deltas=2, delta_width=5, delta_mode="interp", masked_frames=1),
    "cepstra, reflected": configs.Mfcc(**{**MFCC, **FIRST}, deltas=2, delta_mode="reflect", channels=None),
    "all kinds of state": configs.Mfcc(
        **MFCC,
        pad_mode="reflect",
        preemphasis=0.97,
        preemphasis_of="waveform",
        deltas=1,
        masked_frames=1,
        stack_frames=2,
    ),
    "zeros at both ends": configs.StftMagnitude(**STFT, pad_begin=True, pad_end=True, **LAST),
    "phase": configs.StftMagPhase(**{**STFT, "hop_length": 91}, pad_end=True, channels=None, **FIRST),
    "keras": configs.KerasMelSpectrogram(**KERAS, sequence_length=41, **LAST),
}
ONE = "center, reflected, pre-emphasis"

_transforms: dict[str, Transform] = {}


def transform(name):
    """Returns the transform of a config, whose graphs are traced only once."""
    return _transforms.setdefault(name, Transform(CONFIGS[name]))


def clip(n_samples, channels=2):
    return np.random.default_rng(n_samples).uniform(-0.5, 0.5, (n_samples, channels)).astype(np.float32)


def pushed(stream, samples, sizes):
    """Pushes a clip in blocks of these sizes, which are repeated, and returns all frames."""
    axis = stream._transform.config.frame_axis
    start, frames = 0, []
    while start < len(samples):
        size = sizes[len(frames) % len(sizes)]
        frames.append(stream.push(samples[start : start + size]))
        start += size
    return np.concatenate([*frames, stream.finish()], axis)


def assert_same_bits(found, expected):
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32), strict=True)


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=7, deadline=None)
@given(st.integers(0, 500), st.lists(st.integers(0, 150), min_size=1, max_size=5).filter(any))
def test_blocks_of_any_lengths_give_the_bits_of_the_whole_clip(name, n_samples, sizes):
    mel, samples = transform(name), clip(n_samples)
    assert_same_bits(pushed(mel.stream(), samples, sizes), mel(samples))


@pytest.mark.cases(3)
@pytest.mark.parametrize("name", CONFIGS)
def test_short_clips_give_the_bits_of_the_whole_clip(name):
    mel = transform(name)
    for n_samples in (1, 15, 20, 26, 33, 50, 71):
        assert_same_bits(pushed(mel.stream(), clip(n_samples), [7]), mel(clip(n_samples)))


@pytest.mark.cases(4)
@pytest.mark.parametrize("name", CONFIGS)
def test_a_frame_comes_out_after_the_latency_at_the_latest(name):
    mel = transform(name)
    stream, samples = mel.stream(), clip(400)
    came = []  # number of samples after which each frame came out
    for n_samples in range(1, len(samples) + 1):
        frames = stream.push(samples[n_samples - 1 : n_samples])
        came += [n_samples] * frames.shape[mel.config.frame_axis]
    centres = mel.config.frame_centres(len(came)) * mel.config.sample_rate
    assert stream.latency == math.ceil(round(max(came - centres), 6))


def test_the_latency_of_frames_centred_in_a_window_is_half_a_window():
    assert Transform(configs.LogMel(n_fft=400, hop_length=160)).stream().latency == 200
    assert Transform(configs.LogMel(n_fft=400, hop_length=160, pad_mode="reflect")).stream().latency == 201
    kaldi = configs.LogMel(n_fft=512, win_length=400, hop_length=160, edges="snip", window="povey")
    assert Transform(kaldi).stream().latency == 201  # the centre of a symmetric window lies between two samples


RESTORE = """
import pickle, sys
stream, rest = pickle.load(sys.stdin.buffer)
frames = [stream.push(rest[:100]), stream.push(rest[100:]), stream.finish()]
sys.stdout.buffer.write(pickle.dumps(frames))
"""


@pytest.mark.faults
def test_a_pickled_stream_continues_in_a_new_process_with_the_same_bits():
    mel, samples = transform("all kinds of state"), clip(500)
    stream = mel.stream()
    frames = [stream.push(samples[:77]), stream.push(samples[77:261])]
    content = pickle.dumps((stream, samples[261:]))
    assert len(content) < 20_000
    done = subprocess.run([sys.executable, "-c", RESTORE], input=content, capture_output=True, check=True)
    frames += pickle.loads(done.stdout)
    assert_same_bits(np.concatenate(frames), mel(samples))


def test_mono_blocks_need_no_axis_of_channels():
    mel, samples = transform(ONE), clip(500, 1)
    assert_same_bits(pushed(mel.stream(), samples[:, 0], [111]), mel(samples[:, 0]))
    assert_same_bits(pushed(mel.stream(), samples[:, 0].astype(np.float64), [111]), mel(samples[:, 0]))


def test_a_stream_without_samples_gives_the_feature_of_an_empty_clip():
    for name in ("center", "zeros at both ends"):
        mel = transform(name)
        assert_same_bits(mel.stream().finish(), mel(np.zeros(0, np.float32)))


def test_frames_that_were_returned_do_not_change_afterwards():
    stream, samples = transform(ONE).stream(), clip(600)
    first = stream.push(samples[:300])
    kept = first.copy()
    first_block = samples[300:].copy()
    stream.push(first_block)
    first_block[:] = np.nan
    assert np.isfinite(stream.finish()).all()
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            configs.LogMel(**SMALL, log="db", top_db=80.0),
            "MagnitudeToDecibel .* decibels are relative to the max",
        ),
        (configs.StftMagPhase(**STFT, return_decibel=True), "MagnitudePhase .* decibels are relative to the maximum"),
        (configs.LogMel(**SMALL, normalization="clip"), "ClipNormalization .* normalized over all frames"),
        (configs.LogMel(**SMALL, clip_seconds=1.0), "Chunk .* as each clip gets a fixed length"),
        (configs.LogMel(**SMALL, fixed_frames=10), "PadFrames .* as each clip gets a fixed number of frames"),
        (configs.WhisperLogMel(), "Chunk .* fixed length"),
        (configs.WhisperLogMel(chunk_seconds=None), "WhisperScale .* relative to the maximum"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_feature_that_needs_the_whole_clip_is_refused_with_the_reason(config, reason):
    with pytest.raises(ArgumentError, match=reason):
        Transform(config).stream()


def test_a_finished_stream_is_refused():
    stream = transform("center").stream()
    stream.push(clip(100))
    stream.finish()
    for use in (stream.finish, lambda: stream.push(clip(1))):
        with pytest.raises(ArgumentError, match="must not be used after finish"):
            use()


def test_blocks_that_are_no_part_of_the_clip_are_refused():
    mel = transform("snip, plain, of Kaldi")
    stream = mel.stream()
    first = stream.push(clip(100))
    for block, message in (
        (clip(10, 1), "same number of channels, here 2"),
        (np.zeros((10, 2), np.int16), "floating-point"),
        (np.zeros((1, 10, 2), np.float32), r"\[time\] or \[time, channels\]"),
        (np.zeros((2, 500), np.float32), "at most 64 channels"),
    ):
        with pytest.raises(ArgumentError, match=message):
            stream.push(block)
    assert_same_bits(np.concatenate([first, stream.finish()]), mel(clip(100)))

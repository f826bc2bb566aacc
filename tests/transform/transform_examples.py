"""Clips, batches and transforms that several tests use."""

import numpy as np

from audiopipe import Transform, configs

NOISE = np.random.default_rng(3).uniform(-0.5, 0.5, (1500, 3)).astype(np.float32)
FIELDS = {"sample_rate": 8000, "n_fft": 256, "hop_length": 100, "return_decibel": True}
FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
DECIBEL_TOLERANCE = 1e-3


def make(**fields):
    return Transform(configs.StftMagnitude(**{**FIELDS, **FIXED, **fields}))


def pad(*clips):
    """Returns a batch `[batch, time, channels]`, padded with loud samples or NaN, and the lengths of its clips."""
    clips = [clip[:, None] if clip.ndim == 1 else clip for clip in clips]
    lengths = np.array([len(clip) for clip in clips])
    batch = np.full((len(clips), lengths.max(), clips[0].shape[1]), np.nan, np.float32)
    batch[::2] = 1e6
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return batch, lengths

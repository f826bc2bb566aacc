"""Clips made from formulas, by name."""

import numpy as np

# A prime: squares modulo it scatter like noise, and integers give the same clip on every machine.
_MODULUS = 65537


def noise(n_samples, level=0.3, seed=1):
    """Returns noise with a flat spectrum, float32 `[time]`, between `-level` and `level`."""
    n = np.arange(n_samples, dtype=np.int64)
    scattered = (n * n % _MODULUS * (7919 + 2 * seed) + n * 3571) % _MODULUS
    return (level * (2 * scattered / (_MODULUS - 1) - 1)).astype(np.float32)


def tone(n_samples, sample_rate, hertz, level=0.5):
    return (level * np.sin(2 * np.pi * hertz * np.arange(n_samples) / sample_rate)).astype(np.float32)


def speech_like(n_samples, sample_rate):
    """Returns harmonics of a voice that rises, in syllables with pauses, and faint noise."""
    t = np.arange(n_samples) / sample_rate
    phase = 2 * np.pi * (110 * t + 15 * t**2)
    voice = sum(np.sin(k * phase) / k for k in range(1, 30) if k * 200 < sample_rate / 2)
    syllables = np.maximum(0, np.sin(2 * np.pi * 3 * t)) ** 2
    return (0.2 * voice * syllables).astype(np.float32) + noise(n_samples, 1e-4)


def impulse(n_samples):
    clip = np.zeros(n_samples, np.float32)
    clip[n_samples // 3 : n_samples // 3 + 1] = 0.9
    return clip


def signals(sample_rate, n_samples):
    """Returns clips of different kinds and one length, by name."""
    half = n_samples // 2
    fading = (noise(n_samples) * np.logspace(0, -6, n_samples)).astype(np.float32)
    return {
        "noise": noise(n_samples),
        "faint noise": noise(n_samples, 1e-4),
        "loud noise": noise(n_samples, 1.0, seed=3),
        "fading noise": fading,
        "noise, then silence": np.concatenate([noise(half), np.zeros(n_samples - half, np.float32)]),
        "speech-like": speech_like(n_samples, sample_rate),
        "tone at 440 Hz": tone(n_samples, sample_rate, 440),
        "tone at 63 Hz": tone(n_samples, sample_rate, 63, 0.9),
        "faint tone at 1 kHz": tone(n_samples, sample_rate, 1000, 1e-4),
        "loud tone at a fifth of the rate": tone(n_samples, sample_rate, sample_rate / 5, 1.0),
        "silence": np.zeros(n_samples, np.float32),
        "offset": np.full(n_samples, 0.25, np.float32),
        "noise with an offset": noise(n_samples, 0.05) + np.float32(0.25),
        "impulse": impulse(n_samples),
    }


def boundaries(frame_length, hop_length, frames=(1, 2, 5)):
    """Returns lengths one sample around each of the boundaries at which a front end gives another frame.

    They cover frames inside the clip (`frame_length` and whole hops), centred frames (whole hops) and Kaldi's
    `snip_edges=False` (half a hop more), for the given numbers of frames.
    """
    edges = [frame_length + (count - 1) * hop_length for count in frames]
    edges += [count * hop_length for count in frames]
    edges += [count * hop_length - hop_length // 2 for count in frames]
    return sorted({max(1, edge + shift) for edge in edges for shift in (-1, 0, 1)})

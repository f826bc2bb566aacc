"""What features should be: the formulas in float64 NumPy, frame by frame, sharing no code with audiopipe."""

import numpy as np
import scipy.signal


def hann(length):
    """Periodic where the length is even and symmetric where it is odd, as in `tf.signal`."""
    return scipy.signal.get_window("hann", length, fftbins=length % 2 == 0)


def stft(clip, n_fft, win_length, hop_length, pad_begin=False, pad_end=False):
    """The transform of one channel, `[time]` to `[frames, n_fft // 2 + 1]`, with a Hann window."""
    clip = clip.astype(np.float64)
    if pad_begin:
        clip = np.concatenate([np.zeros(max(0, n_fft - hop_length)), clip])
    last_start = len(clip) - 1 if pad_end else len(clip) - win_length
    clip = np.concatenate([clip, np.zeros(win_length)])
    frames = [clip[start : start + win_length] for start in range(0, last_start + 1, hop_length)]
    return np.array([np.fft.rfft(frame * hann(win_length), n_fft) for frame in frames])


def log_filterbank(sample_rate, n_fft, n_bins, bins_per_octave, f_min, spread):
    """Log-normal windows over the bins of a transform, `[n_fft // 2 + 1, n_bins]`."""
    sigma = spread / bins_per_octave
    columns = []
    for k in range(n_bins):
        centre = f_min * 2 ** (k / bins_per_octave)
        f = np.fft.rfftfreq(n_fft, 1 / sample_rate)[1:]
        weights = np.exp(-0.5 * ((np.log2(f) - np.log2(centre)) / sigma) ** 2 - np.log2(f))
        columns.append(np.concatenate([[0.0], weights / weights.sum()]))
    return np.array(columns).T


def decibels(magnitude, ref_value=1.0, amin=1e-5, dynamic_range=80.0):
    """The decibel scale of one clip."""
    values = 10 * np.log10(np.maximum(magnitude.astype(np.float64), amin) / max(ref_value, amin))
    return np.maximum(values, values.max() - dynamic_range)

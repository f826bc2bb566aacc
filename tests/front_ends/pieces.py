"""Pieces of front ends in float64 NumPy, as direct as possible and without any code of audiopipe."""

import functools

import numpy as np


def hann(length, periodic):
    """Returns a Hann window whose period is `length` samples, or `length - 1` where it is symmetric."""
    period = length if periodic else length - 1
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / period)


def povey(length):
    """Returns Kaldi's window: https://github.com/kaldi-asr/kaldi/blob/f4007661/src/feat/feature-window.cc#L125."""
    return hann(length, periodic=False) ** 0.85


def inner_starts(n_samples, frame_length, hop_length):
    """Returns the starts of the frames that lie inside a clip."""
    return range(0, n_samples - frame_length + 1, hop_length)


def centred_starts(n_samples, frame_length, hop_length):
    """Returns the starts of frames whose middles are the multiples of the hop, as librosa and torch place them."""
    return [t * hop_length - frame_length // 2 for t in range(n_samples // hop_length + 1)] if n_samples else []


def vocoder_starts(n_samples, frame_length, hop_length):
    """Returns the starts of frames in a clip that is extended by half of what a frame is longer than the hop."""
    extension = (frame_length - hop_length) // 2
    return range(-extension, n_samples + extension - frame_length + 1, hop_length)


def cut(samples, frame_length, starts, mode=None):
    """Cuts frames `[frames, frame_length]`. Samples beyond the ends follow `numpy.pad`'s mode."""
    frames = np.zeros((len(starts), frame_length))
    if len(starts):
        before = max(0, -starts[0])
        after = max(0, starts[-1] + frame_length - len(samples))
        extended = np.pad(samples.astype(np.float64), (before, after), mode or "constant")
        for frame, start in zip(frames, starts, strict=True):
            frame[:] = extended[before + start : before + start + frame_length]
    return frames


def without_mean(frames):
    """Subtracts the mean of every frame."""
    return frames - frames.mean(axis=1, keepdims=True)


def emphasized_frames(frames, coefficient):
    """Subtracts the previous sample of the frame. The first sample is its own predecessor, as in HTK and Kaldi."""
    return frames - coefficient * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)


def emphasized_clip(samples, coefficient):
    """Subtracts the previous sample of the clip. The first sample stays."""
    samples = samples.astype(np.float64)
    return samples - coefficient * np.concatenate([np.zeros(1), samples])[: len(samples)]


def magnitudes(frames, n_fft):
    """Returns `[frames, n_fft // 2 + 1]`. Frames stand at the start of the FFT's buffer."""
    return np.abs(np.fft.rfft(frames, n_fft, axis=1))


def htk_mel(hertz):
    return 1127 * np.log(1 + hertz / 700)


def htk_hertz(mel):
    return 700 * (np.exp(mel / 1127) - 1)


def slaney_mel(hertz):
    """Slaney's scale: straight up to 1000 Hz = 15 mel, then a factor of 6.4 for every 27 mel."""
    return np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4))


def slaney_hertz(mel):
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


@functools.cache
def mel_filters(sample_rate, n_fft, n_mels, f_min, f_max, scale="htk", sides="hertz", area=False):
    """Returns triangular filters `[n_fft // 2 + 1, n_mels]`.

    Args:
        scale: "htk" or "slaney". The factors 2595 / ln(10) of HTK and 1127 of Kaldi cancel out.
        sides: The scale over which the sides are straight: "hertz" or "mel".
        area: Whether the filters have unit area over hertz.
    """
    to_mel, to_hertz = {"htk": (htk_mel, htk_hertz), "slaney": (slaney_mel, slaney_hertz)}[scale]
    edges = np.linspace(to_mel(f_min), to_mel(f_max), n_mels + 2)
    positions = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    hertz = to_hertz(edges)
    if sides == "mel":
        positions = to_mel(positions)
    else:
        edges = hertz
    filters = np.zeros((n_fft // 2 + 1, n_mels))
    for m in range(n_mels):
        rising = (positions - edges[m]) / (edges[m + 1] - edges[m])
        falling = (edges[m + 2] - positions) / (edges[m + 2] - edges[m + 1])
        filters[:, m] = np.maximum(0, np.minimum(rising, falling))
        if area:
            filters[:, m] *= 2 / (hertz[m + 2] - hertz[m])
    return filters


def bands(spectrum, filters):
    """Returns the mel spectrum `[frames, bins]`, and the maximum of each frame's spectrum on its scale, `[frames]`.

    That maximum may be where no filter is, as an offset of the samples often is.
    """
    mel = spectrum @ filters
    return mel, np.maximum(mel.max(axis=1, initial=0), spectrum.max(axis=1, initial=0) * filters.max())


def normalization(log, ddof, std_epsilon=0.0, variance_epsilon=0.0):
    """Returns the mean of every bin over the frames, and what `log - mean` is divided by.

    Where a published front end divides 0 by 0, the divisor is infinite here and the result is 0: a bin that never
    changes, and the variance of a single frame. The sums of a constant may round, so constancy is tested by itself.
    """
    if len(log) == 0:
        return np.zeros(log.shape[1]), np.full(log.shape[1], np.inf)
    mean = log.mean(axis=0)
    variance = np.where(np.ptp(log, axis=0) == 0, 0.0, ((log - mean) ** 2).sum(axis=0) / max(1, len(log) - ddof))
    divisor = np.sqrt(variance + variance_epsilon) + std_epsilon
    return mean, np.where(divisor == 0, np.inf, divisor)

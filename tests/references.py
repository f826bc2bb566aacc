"""Reference formulas of features in float64 NumPy, frame by frame and without any code of audiopipe."""

import numpy as np
import scipy.signal


def hann(length):
    """Returns a Hann window, periodic if the length is even and symmetric if it is odd, as in `tf.signal`."""
    return scipy.signal.get_window("hann", length, fftbins=length % 2 == 0)


def stft(clip, n_fft, win_length, hop_length, pad_begin=False, pad_end=False):
    """Computes the STFT of one channel with a Hann window: `[time]` to `[frames, n_fft // 2 + 1]`."""
    clip = clip.astype(np.float64)
    if pad_begin:
        clip = np.concatenate([np.zeros(max(0, n_fft - hop_length)), clip])
    last_start = len(clip) - 1 if pad_end else len(clip) - win_length
    clip = np.concatenate([clip, np.zeros(win_length)])
    frames = [clip[start : start + win_length] for start in range(0, last_start + 1, hop_length)]
    return np.array([np.fft.rfft(frame * hann(win_length), n_fft) for frame in frames])


def log_filterbank(sample_rate, n_fft, n_bins, bins_per_octave, f_min, spread):
    """Returns log-normal windows over the bins of an STFT, `[n_fft // 2 + 1, n_bins]`."""
    sigma = spread / bins_per_octave
    columns = []
    for k in range(n_bins):
        centre = f_min * 2 ** (k / bins_per_octave)
        f = np.fft.rfftfreq(n_fft, 1 / sample_rate)[1:]
        weights = np.exp(-0.5 * ((np.log2(f) - np.log2(centre)) / sigma) ** 2 - np.log2(f))
        columns.append(np.concatenate([[0.0], weights / weights.sum()]))
    return np.array(columns).T


def decibels(magnitude, ref_value=1.0, amin=1e-5, dynamic_range=80.0):
    """Converts the magnitudes of one clip to decibels."""
    values = 10 * np.log10(np.maximum(magnitude.astype(np.float64), amin) / max(ref_value, amin))
    return np.maximum(values, values.max() - dynamic_range)


def keras_mel_matrix(sampling_rate, n_freq, n_mels, min_freq, max_freq):
    """Returns triangular mel filters without the bin at 0 Hz, `[n_freq, n_mels]`, computed weight by weight."""

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    step = (mel(max_freq) - mel(min_freq)) / (n_mels + 1)
    matrix = np.zeros((n_freq, n_mels))
    for f in range(1, n_freq):
        for m in range(n_mels):
            distance = abs(mel(f * sampling_rate / 2 / (n_freq - 1)) - mel(min_freq) - (m + 1) * step)
            matrix[f, m] = max(0.0, 1 - distance / step)
    return matrix


def keras_mel(
    clip,
    fft_length,
    sequence_stride,
    num_mel_bins,
    sequence_length=None,
    window="hann",
    sampling_rate=16000,
    min_freq=20.0,
    max_freq=None,
    power_to_db=True,
    top_db=80.0,
    mag_exp=2.0,
    min_power=1e-10,
    ref_power=1.0,
):
    """Computes `keras.layers.MelSpectrogram` of one clip: `[time]` to `[num_mel_bins, frames]`."""
    length = sequence_length or fft_length
    if isinstance(window, str):
        window = scipy.signal.get_window(window, length, fftbins=length % 2 == 0)
    full_window = np.ones(fft_length)
    if window is not None:
        before = (fft_length - length) // 2
        full_window = np.pad(np.asarray(window, np.float64), (before, fft_length - length - before))
    clip = np.pad(clip.astype(np.float64), fft_length // 2, mode="reflect")
    starts = range(0, len(clip) - fft_length + 1, sequence_stride)
    frames = np.array([clip[start : start + fft_length] * full_window for start in starts])
    max_freq = sampling_rate // 2 if max_freq is None else max_freq
    matrix = keras_mel_matrix(sampling_rate, fft_length // 2 + 1, num_mel_bins, min_freq, max_freq)
    bands = np.abs(np.fft.rfft(frames)) ** mag_exp @ matrix
    return (decibels(bands, abs(ref_power), min_power, top_db) if power_to_db else bands).T

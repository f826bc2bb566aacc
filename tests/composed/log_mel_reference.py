"""Log-mel spectrograms of one channel in float64, computed with NumPy, SciPy and librosa, and without audiopipe."""

import librosa
import numpy as np
import scipy.signal

WINDOWS = {"hann": "hann", "hamming": "hamming", "blackman": "blackman", "rectangular": "boxcar"}


def window(config):
    if config.window == "povey":
        return scipy.signal.get_window("hann", config.win_length, fftbins=False) ** 0.85
    return scipy.signal.get_window(WINDOWS[config.window], config.win_length, fftbins=config.periodic)


def of_length(clip, config):
    """Returns a clip with the length of the config."""
    if config.clip_seconds is None:
        return clip
    n_samples = round(config.clip_seconds * config.sample_rate)
    if config.short_clips == "repeat" and 0 < len(clip) < n_samples:
        clip = np.tile(clip, n_samples // len(clip))
    return np.pad(clip[:n_samples], (0, max(0, n_samples - len(clip))))


def frames(clip, config):
    """Returns the samples under the window of each frame, extended by `numpy.pad`: `[frames, win_length]`."""
    length, hop = config.frame_length, config.hop_length
    reach = {
        "snip": 0,
        "center": length // 2,
        "same": (length - hop) // 2,
        "midpoint": length + hop,
    }[config.edges]
    first = reach + hop // 2 - length // 2 if config.edges == "midpoint" else 0
    if len(clip) == 0:
        return np.zeros((0, config.win_length))
    padded = np.pad(clip, reach, mode=config.pad_mode) if reach else clip
    within = max(0, 1 + (len(padded) - length) // hop)
    count = (len(clip) + hop // 2) // hop if config.edges == "midpoint" else within
    offset = (length - config.win_length) // 2 if config.window_position == "center" else 0
    starts = [first + number * hop + offset for number in range(count)]
    return np.array([padded[start : start + config.win_length] for start in starts]).reshape(count, config.win_length)


def mel_spectrogram(clip, config):
    """Returns the mel bands before the logarithm: `[frames, n_mels]`."""
    clip = config.gain * np.asarray(clip, np.float64)
    if config.preemphasis_of == "waveform" and len(clip):
        clip = np.concatenate([clip[:1], clip[1:] - config.preemphasis * clip[:-1]])
    framed = frames(clip, config)
    if config.remove_dc_offset:
        framed = framed - framed.mean(axis=1, keepdims=True)
    if config.preemphasis_of == "frame":
        framed = framed - config.preemphasis * np.concatenate([framed[:, :1], framed[:, :-1]], axis=1)
    spectrum = np.fft.rfft(framed * window(config), config.n_fft, axis=1)
    power = np.square(np.abs(spectrum))
    if config.power == 1:
        power = np.sqrt(power + config.magnitude_offset)
    return power @ filterbank(config)


def filterbank(config):
    if config.mel_triangles == "hertz":
        return librosa.filters.mel(
            sr=config.sample_rate,
            n_fft=config.n_fft,
            n_mels=config.n_mels,
            fmin=config.f_min,
            fmax=config.f_max,
            htk=config.mel_scale == "htk",
            norm=config.mel_norm,
            dtype=np.float64,
        ).T
    to_mel = [librosa.hz_to_mel(hertz, htk=config.mel_scale == "htk") for hertz in (config.f_min, config.f_max)]
    corners = np.linspace(*to_mel, config.n_mels + 2)
    bins = librosa.hz_to_mel(librosa.fft_frequencies(sr=config.sample_rate, n_fft=config.n_fft), htk=True)
    return np.array([np.interp(bins, corners[band : band + 3], [0, 1, 0]) for band in range(config.n_mels)]).T


def feature(clip, config):
    """Returns the feature of a config whose values of padding are set: `[rows, bins]`."""
    values = mel_spectrogram(clip, config)
    if config.log is not None:
        values = np.maximum(values, config.log_floor or 0)
        values = {"ln": np.log, "log10": np.log10, "db": lambda x: 10 * np.log10(x)}[config.log](
            config.log_factor * values + config.log_offset
        )
    if config.top_db is not None and len(values):
        values = np.maximum(values, values.max() - config.top_db)
    if config.masked_frames:
        values = values[: -config.masked_frames]
    if config.normalization == "clip" and len(values) > config.ddof:
        variance = values.var(axis=0, ddof=config.ddof) + config.variance_epsilon
        divisor = np.sqrt(variance) + config.std_epsilon
        values = (values - values.mean(axis=0)) / np.where(divisor, divisor, np.inf)
    elif config.normalization == "clip":
        values = 0 * values
    values = padded(values, config.masked_frames, config)
    values = padded(values, -len(values) % config.stack_frames, config)
    values = values.reshape(len(values) // config.stack_frames, config.n_bins)
    if config.fixed_frames is not None:
        values = padded(values[: config.fixed_frames], max(0, config.fixed_frames - len(values)), config)
    return (values - config.center_value) / config.scale_value


def padded(values, count, config):
    if count == 0:
        return values
    return np.concatenate([values, np.full((count, values.shape[1]), config.padding_value)])

"""Filterbanks, computed in float64 with NumPy because some narrow filters vanish in float32."""

import math
import warnings

import numpy as np

from audiopipe import checks
from audiopipe.errors import ArgumentError

C1_HERTZ = 32.70319566  # C1 in twelve-tone equal temperament with A4 = 440 Hz; the default of Kapre and librosa
# The Slaney mel scale: linear with 200/3 Hz per mel up to 1 kHz, then 27 mels for a factor of 6.4 in frequency.
# Source: M. Slaney, Auditory Toolbox, Interval Research technical report 1998-010.
SLANEY_HERTZ_PER_MEL = 200.0 / 3
SLANEY_LOG_START_HERTZ = 1000.0
SLANEY_LOG_STEP = math.log(6.4) / 27.0


def canonical_mel_norm(name: str, norm: object) -> str | float | None:
    """Returns the canonical form of a norm of mel filters: `"slaney"`, `"inf"`, None or a float of at least 0.

    Args:
        name: Name of the argument, for the error message.
        norm: The norm.

    Raises:
        ArgumentError: If the norm is unknown.
    """
    if norm is None:
        return None
    if isinstance(norm, str) and norm in ("slaney", "inf"):
        return str(norm)
    if isinstance(norm, float) and math.isinf(norm) and norm > 0:
        return "inf"
    if isinstance(norm, str):
        raise checks.fail(name, "'slaney', 'inf', None or a number of at least 0", norm)
    return checks.real(name, norm, minimum=0)


def check_bands(name: str, n_bands: object, n_freq: int) -> int:
    """Returns a number of bands as an int, of which a filterbank fits into a tensor.

    Args:
        name: Name of the argument, for the error message.
        n_bands: The number.
        n_freq: Number of frequency bins of the filterbank.

    Raises:
        ArgumentError: If it is not an integer of at least 1, or too large.
    """
    return checks.count_of(name, n_bands, f"a filterbank of {n_freq} frequencies", n_freq)


MEL_TRIANGLES = ("hertz", "mel")
NAMED_FILTERS = 5
MEL_ADVICE = "Use fewer mels, a longer Fourier transform or a higher lowest frequency."


def fft_frequencies(sample_rate: float, n_fft: int) -> np.ndarray:
    """Returns the frequencies of the bins of a real Fourier transform, in hertz: float64 `[n_fft // 2 + 1]`."""
    return np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)


def hertz_to_mel(frequencies: np.ndarray, htk: bool) -> np.ndarray:
    """Converts hertz to mel, by O'Shaughnessy's formula as in HTK or by Slaney's."""
    frequencies = np.asarray(frequencies, dtype=np.float64)
    if htk:
        return 2595.0 * np.log10(1.0 + frequencies / 700.0)
    log_start_mel = SLANEY_LOG_START_HERTZ / SLANEY_HERTZ_PER_MEL
    log_part = log_start_mel + np.log(np.maximum(frequencies, 1e-300) / SLANEY_LOG_START_HERTZ) / SLANEY_LOG_STEP
    return np.where(frequencies < SLANEY_LOG_START_HERTZ, frequencies / SLANEY_HERTZ_PER_MEL, log_part)


def mel_to_hertz(mels: np.ndarray, htk: bool) -> np.ndarray:
    """Converts mel to hertz: the inverse of `hertz_to_mel`."""
    mels = np.asarray(mels, dtype=np.float64)
    if htk:
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    log_start_mel = SLANEY_LOG_START_HERTZ / SLANEY_HERTZ_PER_MEL
    log_part = SLANEY_LOG_START_HERTZ * np.exp(SLANEY_LOG_STEP * (mels - log_start_mel))
    return np.where(mels < log_start_mel, mels * SLANEY_HERTZ_PER_MEL, log_part)


def mel_edges(n_mels: int, f_min: float, f_max: float, htk: bool) -> np.ndarray:
    """Returns the corners of `n_mels` triangular filters, evenly spaced in mel: float64 `[n_mels + 2]`, in hertz."""
    low, high = hertz_to_mel(np.array([f_min, f_max]), htk)
    return mel_to_hertz(np.linspace(low, high, n_mels + 2), htk)


def mel(
    sample_rate: int,
    n_freq: int,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    htk: bool = False,
    norm: str | float | None = "slaney",
    n_fft: int | None = None,
    triangles: str = "hertz",
    warn_of_empty: bool = True,
) -> np.ndarray:
    """Computes a mel filterbank: triangles that are evenly spaced on the mel scale.

    The result equals `librosa.filters.mel(...).T` within float32. With `htk=True, norm=None, triangles="mel"`, it
    equals the filterbank of Kaldi: https://github.com/kaldi-asr/kaldi/blob/master/src/feat/mel-computations.cc

    Args:
        sample_rate: Samples per second, in hertz.
        n_freq: Number of frequency bins, `n_fft // 2 + 1`.
        n_mels: Number of filters.
        f_min: Lower corner of the first filter, in hertz.
        f_max: Upper corner of the last filter, in hertz. None means half the sample rate.
        htk: Whether to use HTK's mel scale instead of Slaney's.
        norm: `"slaney"` divides each triangle by half its width in hertz (equal area), a number or `"inf"` divides
            each filter by its p-norm, None leaves the peaks at 1.
        n_fft: Length of the Fourier transform that computes the bins. None means the even length, `2 * (n_freq - 1)`.
        triangles: Scale over which the sides of the triangles are straight: `"hertz"` as in librosa and torchaudio, or
            `"mel"` as in Kaldi and `tf.signal`.
        warn_of_empty: Whether to warn of filters that lie between two frequency bins. Some published front ends have
            such filters.

    Returns:
        float64 array of shape `[n_freq, n_mels]`, without negative values.

    Raises:
        ArgumentError: If a value is out of range.

    Warns:
        UserWarning: If a filter lies between two frequency bins, so that its output is always zero, unless
            `warn_of_empty` is False.

    Example:
        >>> mel(sample_rate=16000, n_freq=257, n_mels=80).shape
        (257, 80)
    """
    sample_rate, n_freq, n_fft = _check_bins(sample_rate, n_freq, n_fft)
    n_mels = checks.integer("n_mels", n_mels, minimum=1)
    f_min = checks.real("f_min", f_min, minimum=0)
    f_max = sample_rate / 2 if f_max is None else checks.real("f_max", f_max)
    checks.boolean("htk", htk)
    norm = canonical_mel_norm("norm", norm)
    checks.choice("triangles", triangles, MEL_TRIANGLES)
    checks.boolean("warn_of_empty", warn_of_empty)
    if f_max <= f_min:
        raise ArgumentError(f"f_max must be greater than f_min. Received: f_min={f_min:g}, f_max={f_max:g}.")
    if f_max > sample_rate / 2:
        raise ArgumentError(
            f"f_max must be at most half the sample rate, {sample_rate / 2:g} Hz. "
            f"Received: f_max={f_max:g}. Leave it out to use {sample_rate / 2:g}."
        )

    edges, frequencies = mel_edges(n_mels, f_min, f_max, htk), fft_frequencies(sample_rate, n_fft)
    if triangles == "mel":
        low, high = hertz_to_mel(np.array([f_min, f_max]), htk)
        filters = _triangles(np.linspace(low, high, n_mels + 2), hertz_to_mel(frequencies, htk))
    else:
        filters = _triangles(edges, frequencies)
    if warn_of_empty:
        _warn_of_empty(filters, edges[1:-1], "mel", MEL_ADVICE)
    if norm == "slaney":
        filters *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    elif norm is not None:
        size = np.linalg.norm(filters, ord=float(norm), axis=1, keepdims=True)
        filters /= np.where(size > 0, size, 1.0)
    return filters.T


def linear_to_mel(
    sampling_rate: float,
    num_spectrogram_bins: int,
    num_mel_bins: int = 20,
    lower_edge_hertz: float = 125.0,
    upper_edge_hertz: float = 3800.0,
) -> np.ndarray:
    """Computes the mel filterbank of Keras and of `tf.signal`, with their argument names and defaults.

    It differs from `mel(htk=True, norm=None)` in three ways. The sides of its triangles are straight over mels, not
    over hertz. It ignores the bin at 0 Hz. It spaces the bins from 0 to half the sampling rate even if the transform
    has an odd length, although the last bin of such a transform is slightly lower.

    Args:
        sampling_rate: Samples per second, in hertz.
        num_spectrogram_bins: Number of frequency bins.
        num_mel_bins: Number of filters.
        lower_edge_hertz: Lower corner of the first filter, in hertz.
        upper_edge_hertz: Upper corner of the last filter, in hertz.

    Returns:
        float64 array of shape `[num_spectrogram_bins, num_mel_bins]`, in 0 .. 1.

    Raises:
        ArgumentError: If a value is out of range.

    Warns:
        UserWarning: If a filter lies between two frequency bins, so that its output is always zero.

    Example:
        >>> linear_to_mel(sampling_rate=8000, num_spectrogram_bins=129).shape
        (129, 20)
    """
    sampling_rate = checks.real("sampling_rate", sampling_rate, above=0)
    num_spectrogram_bins = checks.integer("num_spectrogram_bins", num_spectrogram_bins, minimum=1)
    num_mel_bins = checks.integer("num_mel_bins", num_mel_bins, minimum=1)
    low, high = checks.band("lower_edge_hertz", lower_edge_hertz, "upper_edge_hertz", upper_edge_hertz, sampling_rate)

    low_mel, high_mel = hertz_to_mel(np.array([low, high]), htk=True)
    edges = np.linspace(low_mel, high_mel, num_mel_bins + 2)
    filters = _triangles(edges, hertz_to_mel(np.linspace(0.0, sampling_rate / 2, num_spectrogram_bins), htk=True))
    filters[:, 0] = 0.0
    _warn_of_empty(filters, mel_to_hertz(edges[1:-1], htk=True), "mel", MEL_ADVICE)
    return filters.T


def _triangles(edges: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Computes triangles with a peak of 1 between each edge and the one after the next: `[filters, positions]`."""
    distance = edges[:, None] - positions[None, :]
    width = np.diff(edges)[:, None]
    return np.maximum(0.0, np.minimum(-distance[:-2] / width[:-1], distance[2:] / width[1:]))


def _warn_of_empty(filters: np.ndarray, centres: np.ndarray, kind: str, advice: str) -> None:
    """Warns if a filter `[filters, frequencies]` has no weights, and names the first ones by number and centre."""
    empty = np.flatnonzero(filters.max(axis=1) == 0)
    if empty.size:
        named = ", ".join(f"{number} ({centres[number]:.1f} Hz)" for number in empty[:NAMED_FILTERS])
        more = f" and {empty.size - NAMED_FILTERS} more" if empty.size > NAMED_FILTERS else ""
        warnings.warn(
            f"{empty.size} of {len(filters)} {kind} filters reach no frequency bin and will always be zero: "
            f"{named}{more}. {advice}",
            stacklevel=3,
        )


def log_frequencies(n_bins: int, bins_per_octave: int, f_min: float | None) -> np.ndarray:
    """Returns the centres of log-frequency filters, `f_min * 2**(k / bins_per_octave)`: float64 `[n_bins]`, in hertz.

    `f_min=None` means C1, 32.70319566 Hz.
    """
    return (C1_HERTZ if f_min is None else f_min) * 2.0 ** (np.arange(n_bins) / bins_per_octave)


def check_log_range(sample_rate: int, n_freq: int, n_bins: int, bins_per_octave: int, f_min: float) -> None:
    """Raises an error unless `log` can compute a filterbank with these arguments.

    Raises:
        ArgumentError: If a value is out of range or the filters extend beyond half the sample rate.
    """
    checks.integer("n_bins", n_bins, minimum=1)
    checks.integer("bins_per_octave", bins_per_octave, minimum=1)
    checks.real("f_min", f_min, above=0)
    if n_freq < 2:
        raise checks.fail("n_freq", "at least 2, because 0 Hz belongs to no octave", n_freq)
    with np.errstate(over="ignore"):
        end = f_min * np.exp2(n_bins / bins_per_octave)
    if end > sample_rate / 2:
        raise ArgumentError(
            f"The log-frequency range must end at or below half the sample rate, {sample_rate / 2:g} Hz. Received: "
            f"n_bins={n_bins}, bins_per_octave={bins_per_octave}, f_min={f_min:g}, which end at {end:.1f} Hz. "
            f"Use fewer bins, a lower f_min or a higher sample rate."
        )


def log(
    sample_rate: int,
    n_freq: int,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    f_min: float | None = None,
    spread: float = 0.125,
    n_fft: int | None = None,
) -> np.ndarray:
    """Computes a log-frequency filterbank: log-normal windows whose centres are evenly spaced in octaves.

    Each filter is a Gaussian over log2 of the frequency. It is divided by the frequency as in librosa 0.4 and Kapre
    (`exp(-log2(f))`) and sums to one.

    Args:
        sample_rate: Samples per second, in hertz.
        n_freq: Number of frequency bins, `n_fft // 2 + 1`.
        n_bins: Number of filters.
        bins_per_octave: Number of filters per octave.
        f_min: Centre of the first filter, in hertz. None means C1, 32.70319566 Hz.
        spread: Standard deviation of a filter, as a fraction of the distance between neighbouring filters.
        n_fft: Length of the Fourier transform that computes the bins. None means the even length, `2 * (n_freq - 1)`.

    Returns:
        float64 array of shape `[n_freq, n_bins]`, in 0 .. 1. Every column sums to one, or is zero if the filter
        reaches no frequency bin.

    Raises:
        ArgumentError: If a value is out of range or the filters extend beyond half the sample rate.

    Warns:
        UserWarning: If a filter is so narrow that it reaches no frequency bin, so that its output is always zero.

    Example:
        >>> filterbank = log(sample_rate=22050, n_freq=1025)
        >>> filterbank.shape, bool(np.allclose(filterbank.sum(axis=0), 1))
        ((1025, 84), True)
    """
    sample_rate, n_freq, n_fft = _check_bins(sample_rate, n_freq, n_fft)
    f_min = C1_HERTZ if f_min is None else f_min
    check_log_range(sample_rate, n_freq, n_bins, bins_per_octave, f_min)
    spread = checks.real("spread", spread, above=0)

    sigma = spread / bins_per_octave
    octaves = np.log2(fft_frequencies(sample_rate, n_fft)[1:])
    centres = log_frequencies(n_bins, bins_per_octave, f_min)
    exponent = -0.5 * ((octaves[None, :] - np.log2(centres)[:, None]) / sigma) ** 2 - octaves[None, :]
    filters = np.zeros((n_bins, n_freq))
    filters[:, 1:] = np.exp(exponent)
    sums = filters.sum(axis=1, keepdims=True)
    reached = sums >= np.finfo(np.float64).tiny
    filters = np.where(reached, filters / np.where(reached, sums, 1.0), 0.0)
    _warn_of_empty(
        filters,
        centres,
        "log-frequency",
        f"Bins are {sample_rate / n_fft:.1f} Hz apart. Use a longer n_fft, a larger spread or a higher f_min.",
    )
    return filters.T


def _check_bins(sample_rate: int, n_freq: int, n_fft: int | None) -> tuple[int, int, int]:
    """Checks and returns the sample rate, the number of bins and the length of the transform that computes them."""
    sample_rate = checks.integer("sample_rate", sample_rate, minimum=1)
    n_freq = checks.integer("n_freq", n_freq, minimum=1)
    n_fft = max(1, 2 * (n_freq - 1)) if n_fft is None else checks.integer("n_fft", n_fft, minimum=1)
    if n_fft // 2 + 1 != n_freq:
        raise ArgumentError(
            f"A Fourier transform of n_fft={n_fft} has {n_fft // 2 + 1} frequency bins. Received: n_freq={n_freq}."
        )
    return sample_rate, n_freq, n_fft

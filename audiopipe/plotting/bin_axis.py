"""Axis of the bins of a feature: round frequencies, octaves, or numbers of coefficients."""

import math
from collections.abc import Iterable

import numpy as np

from audiopipe.configs import LogFrequencySpectrogram, Mfcc
from audiopipe.configs.base import Config
from audiopipe.plotting.scales import CEPSTRUM

MOST_TICKS = 8
TUNING_HERTZ = 27.5  # A0: the octaves above it are whole numbers


def bin_label(config: Config) -> str:
    """Returns what the bins of a feature are."""
    return "coefficient" if config.quantities[0].endswith(CEPSTRUM) else "frequency (Hz)"


def axis_label(config: Config) -> str:
    """Returns the label of the axis of the bins, which tells of stacked frames."""
    count = getattr(config, "stack_frames", 1)
    return bin_label(config) if count == 1 else f"{bin_label(config)}\nof {count} stacked frames"


def block_starts(config: Config) -> np.ndarray:
    """Returns the first bin of each block: bins of stacked frames or derivatives start again at the lowest value."""
    return np.concatenate([[0], np.flatnonzero(np.diff(config.frequencies()) < 0) + 1])


def bin_ticks(config: Config, most: int = MOST_TICKS) -> tuple[np.ndarray, list[str]]:
    """Returns the places of ticks on the axis of the bins, and their labels.

    Places are numbers of bins, with fractions between the centres of two bins.

    Args:
        config: Config of the feature.
        most: Number of ticks that fit on the axis.

    Example:
        >>> from audiopipe import configs
        >>> bin_ticks(configs.StftMagnitude(sample_rate=16000, n_fft=512))
        (array([  0.,  32.,  64.,  96., 128., 160., 192., 224., 256.]), ['0', '1000', ..., '8000'])
    """
    values, starts = config.frequencies(), block_starts(config)
    ends = [*starts[1:], len(values)]
    most_of_block = max(2, most // len(starts))
    places, labels = [], []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        found, shown = _ticks_of(values[start:end], config, most_of_block)
        places.append(start + found)
        prefix = "Δ" * (number % (config.deltas + 1)) + " " if isinstance(config, Mfcc) and config.deltas else ""
        labels += [f"{prefix}{value:g}".strip() for value in shown]
    return np.concatenate(places), labels


def _ticks_of(values: np.ndarray, config: Config, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places and the values of ticks for one block of bins with rising values."""
    if len(values) == 1:
        return np.zeros(1), values
    low, high = values[0] - (values[1] - values[0]) / 2, values[-1] + (values[-1] - values[-2]) / 2
    if isinstance(config, LogFrequencySpectrogram):
        candidates = [octaves(values[0], values[-1])]
    elif np.allclose(np.diff(values), values[1] - values[0]):
        candidates = []
    else:
        candidates = [decades(max(low, values[0] / 2), high)]
    for shown in candidates:
        places = _places(shown, values)
        kept = _apart(places, len(values) / (1.5 * most))
        if len(kept) >= min(3, most):
            return places[kept], shown[kept]
    shown = multiples(max(low, 0), high, most)
    return _places(shown, values), shown


def octaves(low: float, high: float) -> np.ndarray:
    """Returns the octaves of A within two frequencies in hertz.

    Example:
        >>> octaves(50, 500)
        array([ 55., 110., 220., 440.])
    """
    first, last = math.ceil(math.log2(low / TUNING_HERTZ) - 1e-9), math.floor(math.log2(high / TUNING_HERTZ) + 1e-9)
    return TUNING_HERTZ * 2.0 ** np.arange(first, last + 1)


def decades(low: float, high: float) -> np.ndarray:
    """Returns 1, 2 and 5 times the powers of ten within two numbers above 0.

    Example:
        >>> decades(80, 1500)
        array([ 100.,  200.,  500., 1000.])
    """
    powers = 10.0 ** np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return _within(np.outer(powers, [1.0, 2.0, 5.0]).ravel(), low, high)


def multiples(low: float, high: float, most: int) -> np.ndarray:
    """Returns the multiples of a round step within two numbers, of which there are about `most` at the most.

    The step is 1, 2 or 5 times a power of ten.

    Example:
        >>> multiples(0, 8000, most=8)
        array([   0., 1000., 2000., 3000., 4000., 5000., 6000., 7000., 8000.])
    """
    exact = (high - low) / most
    power = 10.0 ** math.floor(math.log10(exact))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= exact * (1 - 1e-9))
    return _within(step * np.arange(math.floor(low / step), math.ceil(high / step) + 1), low, high)


def _places(shown: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the numbers of the bins that have some values, also half a bin beyond the first and the last one."""
    padded = np.concatenate([[2 * values[0] - values[1]], values, [2 * values[-1] - values[-2]]])
    return np.interp(shown, padded, np.arange(-1, len(values) + 1))


def _apart(places: np.ndarray, gap: float) -> list[int]:
    """Returns the numbers of places that are at least a gap apart, the highest place first."""
    kept: list[int] = []
    for number in reversed(range(len(places))):
        if not kept or places[kept[-1]] - places[number] >= gap:
            kept.append(number)
    return kept[::-1]


def _within(numbers: Iterable[float] | np.ndarray, low: float, high: float) -> np.ndarray:
    numbers = np.asarray(numbers)
    slack = 1e-9 * abs(high - low)
    return numbers[(numbers >= low - slack) & (numbers <= high + slack)]

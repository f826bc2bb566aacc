"""Axis of the bins of a feature: round frequencies, octaves, or numbers of coefficients."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.plotting.scales import CEPSTRUM

MOST_TICKS = 8
TUNING_HERTZ = 27.5  # A0: the octaves above it are whole numbers


def bin_label(config: Config) -> str:
    """Returns what the bins of a feature are."""
    return "coefficient" if config.quantities[0].endswith(CEPSTRUM) else "frequency (Hz)"


def axis_label(config: Config) -> str:
    """Returns the label of the axis of the bins, which mentions stacked frames."""
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
        found, shown = _ticks_of(values[start:end], most_of_block)
        places.append(start + found)
        prefix = "Δ" * (number % (getattr(config, "deltas", 0) + 1)) + " "  # derivatives of coefficients
        labels += [f"{prefix}{value:g}".strip() for value in shown]
    return np.concatenate(places), labels


def most_ticks(axes: Any, direction: str) -> int:
    """Returns the number of ticks that fit on an axis with its present size.

    Args:
        axes: The axes.
        direction: `"vertical"` or `"horizontal"`.
    """
    extent, inch = axes.get_window_extent(), axes.figure.dpi
    if direction == "vertical":
        return int(np.clip(round(3 * extent.height / inch), 3, MOST_TICKS))
    return int(np.clip(round(1.5 * extent.width / inch), 3, 2 * MOST_TICKS))


def _ticks_of(values: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places and the values of ticks for one block of bins with rising values."""
    low, high = values[0], values[-1]
    if low == high:
        return np.zeros(1), values[:1]
    if np.allclose(np.diff(values), values[1] - low):
        candidates = []
    elif low > 0 and np.allclose(values[1:] / values[:-1], values[1] / low):
        candidates = [octaves(low, high)[::step] for step in (1, 2, 3)]
    else:
        candidates = [decades(low or values[1], high, factors) for factors in ((1, 2, 5), (1, 5))]
    for shown in candidates:
        places = np.interp(shown, values, np.arange(len(values)))
        first = _first_apart(places, len(values) / (1.5 * most))
        if len(shown) - first >= (3 if most > 3 else 2):
            return places[first:], shown[first:]
    shown = multiples(low, high, most)
    return np.interp(shown, values, np.arange(len(values))), shown


def octaves(low: float, high: float) -> np.ndarray:
    """Returns the octaves of A within two frequencies in hertz.

    Example:
        >>> octaves(50, 500)
        array([ 55., 110., 220., 440.])
    """
    first, last = math.ceil(math.log2(low / TUNING_HERTZ) - 1e-9), math.floor(math.log2(high / TUNING_HERTZ) + 1e-9)
    return TUNING_HERTZ * 2.0 ** np.arange(first, last + 1)


def decades(low: float, high: float, factors: Sequence[int] = (1, 2, 5)) -> np.ndarray:
    """Returns the powers of ten times some factors within two numbers above 0.

    Example:
        >>> decades(80, 1500)
        array([ 100.,  200.,  500., 1000.])
    """
    powers = 10.0 ** np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return _within(np.outer(powers, factors).ravel(), low, high)


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


def _first_apart(places: np.ndarray, gap: float) -> int:
    """Returns the number of the first place from which on all neighbours are at least a gap apart."""
    close = np.flatnonzero(np.diff(places) < gap)
    return int(close[-1]) + 1 if len(close) else 0


def _within(numbers: np.ndarray, low: float, high: float) -> np.ndarray:
    slack = 1e-9 * (high - low)
    return numbers[(numbers >= low - slack) & (numbers <= high + slack)]

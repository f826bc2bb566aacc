"""Scales of quantities: how the values of a feature are drawn, and what the label of the scale says."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.configs import KerasMelSpectrogram, LogMel
from audiopipe.configs.base import Config
from audiopipe.configs.normalizing import NORMALIZED
from audiopipe.configs.stft import MagnitudeConfig

LINEAR = ("magnitude", "power", "real part", "imaginary part")  # drawn in decibels, other quantities as they are
WAVEFORM = "normalized waveform"  # drawn as a line
CEPSTRUM = "cepstrum"
PHASE = "phase"
DEVIATIONS = "standard deviations"

SILENCE = 1e-10  # smaller values are drawn as this one, -200 dB of a magnitude
RANGE_DECIBELS = 80.0

LEVELS, DIVERGING, CYCLIC = "magma", "RdBu_r", "twilight"  # readable by colour-blind people
MISSING = "0.6"  # grey: the colour of values that are not finite


@dataclass(frozen=True)
class Scale:
    """How a quantity is drawn. Panels with equal scales can share their limits.

    Args:
        label: What the values are, with their unit.
        colours: Name of matplotlib's colour map.
        decibels_per_unit: Decibels between two values that differ by 1. None if they are no levels.
    """

    label: str
    colours: str
    decibels_per_unit: float | None = None


def scale_of(config: Config, quantity: str) -> Scale:
    """Returns the scale that a quantity of a feature is drawn on."""
    if quantity in LINEAR:
        return Scale(_decibels_of_linear(quantity), LEVELS, 1.0)
    if quantity == PHASE:
        return Scale("phase (rad)", CYCLIC)
    label = value_label(config, quantity)
    if quantity.startswith(NORMALIZED) or quantity == CEPSTRUM:
        return Scale(label, DIVERGING)
    of_config = config.decibels_per_unit if len(config.quantities) == 1 else None
    return Scale(label, LEVELS, 1.0 if quantity == "decibel" else of_config)


def drawn(values: np.ndarray, quantity: str) -> np.ndarray:
    """Returns the values of a quantity as they are drawn: linear ones in decibels, others as they are."""
    if quantity not in LINEAR:
        return values
    return (10 if quantity == "power" else 20) * np.log10(np.maximum(np.abs(values), SILENCE))


def checked_range(value_range: Any) -> tuple[float, float]:
    """Returns the limits that a caller gives, which must be two numbers, the lower one first.

    Raises:
        ArgumentError: If they are not.
    """
    try:
        low, high = (checks.real("value_range", value) for value in value_range)
    except TypeError as error:
        raise checks.fail("value_range", "(low, high) or None", value_range) from error
    except ValueError as error:
        raise checks.fail("value_range", "(low, high), two finite numbers", value_range) from error
    if low >= high:
        raise checks.fail("value_range", "(low, high) with low < high", value_range)
    return low, high


def with_margin(limits: tuple[float, float]) -> tuple[float, float]:
    """Returns limits of a line that does not touch the frame."""
    margin = 0.05 * (limits[1] - limits[0])
    return limits[0] - margin, limits[1] + margin


def limits(values: np.ndarray, scale: Scale) -> tuple[float, float]:
    """Returns the limits of the colours for all drawn values of a scale.

    Levels span at most 80 dB below the maximum. Levels that are all equal, as those of silence, have the colour of the
    lowest level. Normalized values and cepstra have limits on both sides of zero.
    """
    if scale.colours == CYCLIC:
        return -np.pi, np.pi
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if scale.colours == DIVERGING:
        extreme = max(abs(low), abs(high)) or 1.0
        return -extreme, extreme
    if scale.decibels_per_unit is not None:
        low = max(low, high - RANGE_DECIBELS / scale.decibels_per_unit)
    if low < high:
        return low, high
    return (low, low + 1) if scale.colours == LEVELS else (low - 0.5, high + 0.5)


def value_label(config: Config, quantity: str) -> str:
    """Returns what the values of a quantity of a feature are, as they are stored, with their unit."""
    base = quantity.removeprefix(NORMALIZED)
    if quantity in (base, WAVEFORM):
        return _plain_label(config, quantity)
    if config.standardization is not None or not isinstance(config, LogMel):
        return f"{base} ({DEVIATIONS})"
    label = _plain_label(config, base) if config.normalization is None else f"{base} ({DEVIATIONS})"
    if (config.center_value, config.scale_value) == (0.0, 1.0):
        return label
    sign = "-" if config.center_value >= 0 else "+"
    return f"({label} {sign} {abs(config.center_value):.4g}) / {config.scale_value:.4g}"


def _plain_label(config: Config, quantity: str) -> str:
    """Returns the label of a quantity that is not normalized."""
    if quantity == "decibel":
        base = _base_of_decibels(config)
        return f"dB (10 log10 of the {base})" if base else "dB"
    if quantity == "scaled log power":
        return "(log10 of the power + 4) / 4"
    if quantity == PHASE:
        return "phase (rad)"
    if isinstance(config, LogMel) and config.log is not None and quantity.startswith("log "):
        logarithm, base = ("ln" if config.log == "ln" else "log10"), quantity.removeprefix("log ")
        if config.log_factor != 1:
            return f"{logarithm} of ({config.log_factor:g} * {base} + {config.log_offset:g})"
        return f"{logarithm} of the {base}"
    return quantity


def _decibels_of_linear(quantity: str) -> str:
    if quantity == "power":
        return "dB (10 log10 of the power)"
    return f"dB (20 log10 of the {'magnitude' if quantity == 'magnitude' else 'absolute value'})"


def _base_of_decibels(config: Config) -> str | None:
    """Returns what a config takes the logarithm of for its decibels. None if audiopipe does not know it."""
    match config:
        case MagnitudeConfig() | KerasMelSpectrogram(mag_exp=1.0):
            return "magnitude"
        case LogMel() | KerasMelSpectrogram(mag_exp=2.0):
            return "power"
        case KerasMelSpectrogram():
            return f"magnitude^{config.mag_exp:g}"
    return None

"""Figures of filterbanks: the weights of every filter over frequency."""

from typing import Any

import numpy as np

from audiopipe.configs import LogFrequencySpectrogram
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.plotting import bin_axis, figures


def plot_filterbank(config: Config, ax: Any = None, *, title: str | None = None) -> Any:
    """Plots the filterbank of a config: the weights of every filter over frequency.

    The weights come from the layer of the config. Cepstral coefficients and other features that use a filterbank inside
    work too.

    Args:
        config: Config of a feature with a filterbank, such as `MelSpectrogram`, `LogMel`, `Mfcc`, `WhisperLogMel`,
            `KerasMelSpectrogram` or `LogFrequencySpectrogram`.
        ax: Axes to draw on. None makes a figure with `matplotlib.pyplot`.
        title: Title above the axes.

    Returns:
        The axes.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If the feature has no filterbank.

    Example:
        >>> from audiopipe import plotting, registry
        >>> axes = plotting.plot_filterbank(registry.get("speech-mel-80"))
        >>> len(axes.lines), axes.get_xlabel()
        (80, 'frequency (Hz)')
    """
    figures.require_matplotlib()
    from matplotlib import colormaps

    frequencies, weights = filterbank_of(config)
    [axes] = figures.panels(ax, 1)
    colours = colormaps["viridis"](np.linspace(0, 0.9, weights.shape[1]))
    for number, colour in enumerate(colours):
        bins = np.flatnonzero(weights[:, number])
        shown = slice(max(0, bins[0] - 1), bins[-1] + 2) if len(bins) else slice(0, 0)
        axes.plot(frequencies[shown], weights[shown, number], color=colour, linewidth=1)
    reached = frequencies[weights.any(axis=1)]
    low, high = (reached[0], reached[-1]) if len(reached) else (0, frequencies[-1])
    axes.set_xlim(0 if low < high / 4 else low - 0.02 * high, 1.02 * high)
    axes.set_ylim(0)
    if isinstance(config, LogFrequencySpectrogram):
        _show_octaves(axes, config.frequencies())
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel("weight")
    figures.set_title(axes, title)
    return axes


def filterbank_of(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Returns the frequencies of the bins of the Fourier transform in hertz, and the weights of the filters.

    Returns:
        float64 `[n_freq]` and float32 `[n_freq, filters]`.

    Raises:
        ArgumentError: If the feature has no filterbank.
    """
    from audiopipe.layers import ApplyFilterbank

    found = [layer for layer in config.layer().layers if isinstance(layer, ApplyFilterbank)]
    if not found:
        raise ArgumentError(
            f"config must be that of a feature with a filterbank. Received: {type(config).__name__}, which has none. "
            "Use a config such as MelSpectrogram, LogMel or LogFrequencySpectrogram."
        )
    weights, arguments = found[0].filterbank, found[0].filterbank_kwargs
    if "sampling_rate" in arguments:  # the filterbank of Keras
        return np.linspace(0, arguments["sampling_rate"] / 2, len(weights)), weights
    n_fft = arguments.get("n_fft") or 2 * (len(weights) - 1)
    return np.arange(len(weights)) * arguments["sample_rate"] / n_fft, weights


def _show_octaves(axes: Any, centres: np.ndarray) -> None:
    """Makes the horizontal axis one of octaves."""
    axes.set_xscale("log", base=2)
    axes.set_xlim(centres[0] / 1.06, centres[-1] * 1.06)
    octaves = bin_axis.octaves(centres[0], centres[-1])
    if len(octaves):
        axes.set_xticks(octaves, [f"{value:g}" for value in octaves])

"""Figures of features over time and frequency."""

import os
from typing import Any

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.plotting import images

MAX_FREQUENCY_TICKS = 8
SILENCE = 1e-10
LINEAR = ("magnitude", "power", "real part", "imaginary part")  # drawn in decibels, other quantities as they are
WAVEFORM = "normalized waveform"  # drawn as a line
LABELS = {"decibel": "dB", "phase": "phase (rad)", "scaled log power": "(log10 of the power + 4) / 4"}


def plot_feature(feature: np.ndarray, config: Config, path: str | os.PathLike[str], title: str = "") -> None:
    """Plots a feature over time and frequency, with one panel per channel, and saves the figure as an image.

    Args:
        feature: float32 `[frames, bins, channels]`, or `[channels, frames, bins]` if the config says so.
        config: Config of the feature. It gives the axes.
        path: Path of the image. Its extension selects the format.
        title: Title of the figure.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If the image cannot be written.
    """
    if config.output_data_format == "channels_first":
        feature = np.moveaxis(feature, 0, -1)
    channels = feature.shape[-1]
    figure = images.new_figure(9, 1 + 3 * channels)
    panels = figure.subplots(channels, 1, squeeze=False)[:, 0]
    draw = _draw_lines if config.quantities == (WAVEFORM,) else _draw_pictures
    draw(feature, config, panels)
    panels[-1].set_xlabel("start of the frame (s)")
    images.save(figure, path, title)


def _draw_lines(feature: np.ndarray, config: Config, panels: np.ndarray) -> None:
    """Draws each channel `[frames, 1]` of a feature as a line over time."""
    for index, axes in enumerate(panels):
        axes.plot(config.frame_times(len(feature)), feature[:, 0, index], linewidth=0.5)
        axes.set_ylabel("\n".join([*panel_name(index, len(panels), config.quantities), WAVEFORM]))


def _draw_pictures(feature: np.ndarray, config: Config, panels: np.ndarray) -> None:
    """Draws each channel of a feature as a picture over time and frequency, with a colour bar for each quantity."""
    n_frames, n_bins, channels = feature.shape
    names = np.repeat(config.quantities, channels // len(config.quantities))
    times = config.frame_times(n_frames)
    step = config.frame_times(2)[1] - config.frame_times(2)[0]
    for label in dict.fromkeys(map(_label, config.quantities)):  # quantities with the same label share a scale
        shown = np.isin(names, [name for name in config.quantities if _label(name) == label])
        group = panels[shown]
        values, scale = _picture(feature[:, :, shown], names[shown][0])
        for channel, axes in enumerate(group):
            image = axes.imshow(
                values[:, :, channel].T,
                origin="lower",
                aspect="auto",
                interpolation="nearest",
                extent=(times[0], times[-1] + step, -0.5, n_bins - 0.5),
                **scale,
            )
        panels[0].figure.colorbar(image, ax=list(group), label=label)
    for index, axes in enumerate(panels):
        axes.set_yticks(*bin_ticks(config))
        axes.set_ylabel("\n".join([*panel_name(index, channels, config.quantities), bin_label(config)]))


def _label(quantity: str) -> str:
    """Returns the label of the scale of a quantity."""
    if quantity in LINEAR:
        return "dB (10 log10 of the power)" if quantity == "power" else "dB (20 log10 of the magnitude)"
    return LABELS.get(quantity, quantity)


def _picture(values: np.ndarray, quantity: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Returns the values of a quantity as they are drawn, and the colours and their limits."""
    if quantity == "phase":
        return values, {"cmap": "twilight", "vmin": -np.pi, "vmax": np.pi}  # cyclic: both ends are the same angle
    if quantity not in LINEAR:
        return values, {"cmap": "magma", "vmin": values.min(), "vmax": values.max()}
    levels = (10 if quantity == "power" else 20) * np.log10(np.maximum(np.abs(values), SILENCE))
    return levels, {"cmap": "magma", "vmin": levels.max() - 80, "vmax": levels.max()}


def panel_name(index: int, channels: int, quantities: tuple[str, ...]) -> list[str]:
    """Returns the quantity and the channel that a panel shows, each only if there are several."""
    n_audio = channels // len(quantities)
    name = [quantities[index // n_audio]] if len(quantities) > 1 else []
    return name + ([f"channel {index % n_audio}"] if n_audio > 1 else [])


def bin_ticks(config: Config) -> tuple[np.ndarray, list[str]]:
    """Returns some bins of a feature, and their frequencies, rounded to 1 Hz."""
    frequencies = config.frequencies()
    bins = np.unique(np.linspace(0, len(frequencies) - 1, MAX_FREQUENCY_TICKS).round().astype(int))
    return bins, [f"{frequencies[index]:.0f}" for index in bins]


def bin_label(config: Config) -> str:
    """Returns the label of the axis of the bins."""
    return "coefficient" if config.quantities[0].endswith("cepstrum") else "frequency (Hz)"

"""Pictures of features."""

import os
from typing import Any

import numpy as np

from audiopipe.config import Config
from audiopipe.errors import ArgumentError, MissingDependencyError

MAX_FREQUENCY_TICKS = 8
SILENCE = 1e-10


def plot_feature(feature: np.ndarray, config: Config, path: str | os.PathLike[str], title: str = "") -> None:
    """Draw a feature over time and frequency, one panel a channel, and write it as an image.

    Args:
        feature: float32 `[frames, bins, channels]`, or `[channels, frames, bins]` if the config has it so.
        config: The feature's config, which gives the axes.
        path: Image to write; its ending decides about the format.
        title: What stands above.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If the image cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            'Plotting needs the package matplotlib, which is not installed: pip install "audiopipe[plot]".'
        ) from error
    if config.output_data_format == "channels_first":
        feature = np.moveaxis(feature, 0, -1)
    n_frames, _, channels = feature.shape
    decibel = getattr(config, "return_decibel", False)
    values = feature if decibel else 20 * np.log10(np.maximum(feature, SILENCE))
    figure = Figure(figsize=(9, 1 + 3 * channels), layout="constrained")
    FigureCanvasAgg(figure)
    times = config.frame_times(n_frames)
    step = config.frame_times(2)[1] - config.frame_times(2)[0]
    low = values.max() - 80 if not decibel else values.min()
    for channel, axes in enumerate(figure.subplots(channels, 1, squeeze=False)[:, 0]):
        image = axes.imshow(
            values[:, :, channel].T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(times[0], times[-1] + step, -0.5, feature.shape[1] - 0.5),
            cmap="magma",
            vmin=low,
            vmax=values.max(),
        )
        _frequency_ticks(axes, config.frequencies())
        axes.set_ylabel("frequency (Hz)" if channels == 1 else f"channel {channel}\nfrequency (Hz)")
    axes.set_xlabel("start of the frame (s)")
    figure.suptitle(title)
    figure.colorbar(image, ax=figure.axes, label="dB" if decibel else "dB (20 log10 of the magnitude)")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ArgumentError(f"Could not write the image {os.fspath(path)!r}: {error}.") from error


def _frequency_ticks(axes: Any, frequencies: np.ndarray) -> None:
    """Label some bins with their frequencies, rounded as people say them."""
    bins = np.unique(np.linspace(0, len(frequencies) - 1, MAX_FREQUENCY_TICKS).round().astype(int))
    axes.set_yticks(bins, [f"{frequencies[index]:.0f}" for index in bins])

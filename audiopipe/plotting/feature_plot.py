"""Figures of features over time and frequency."""

from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.plotting import drawing, figures, scales
from audiopipe.plotting.panels import Limits, panels_of, shared_limits


def plot_feature(
    feature: Any,
    config: Config,
    ax: Any = None,
    *,
    channel: int | None = None,
    n_frames: int | None = None,
    start: float = 0.0,
    title: str | None = None,
    colorbar: bool = True,
    value_range: Limits | None = None,
) -> np.ndarray:
    """Plots a feature over time and frequency, with one panel for each channel.

    Each frame is drawn around the centre of its window, so a feature and the waveform of its clip line up. Magnitudes
    and powers are drawn in decibels, down to 80 dB below the maximum. Other quantities are drawn in their own unit. The
    label of the colour bar says which decibel is meant. Values that are not finite are grey.

    Args:
        feature: Feature of one clip, `[frames, bins, channels]`, or `[channels, frames, bins]` if the config says so.
            An array or a tensor of any floating dtype.
        config: Config of the feature. It gives the axes and the unit.
        ax: Axes to draw on, one for each panel. None makes a figure with `matplotlib.pyplot`.
        channel: Number of a channel of the clip, to draw only this one. None draws all.
        n_frames: Number of frames that hold audio, such as `valid_frames` of a clip. Later frames are padding and are
            not drawn. None draws all frames.
        start: Time at which the clip starts, in seconds.
        title: Title above the first panel.
        colorbar: Whether to draw a colour bar for each quantity.
        value_range: Lowest and highest value of the colours, in the unit of the colour bar, so that several figures can
            share a scale. It does not apply to phases. None means the range of the values.

    Returns:
        The axes of the panels: `[panels]`. If a feature has several quantities, like `StftMagPhase`, the panels of all
        channels of the first quantity come first.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If the feature does not fit the config, or another argument does not fit the feature.

    Example:
        >>> from audiopipe import Transform, plotting
        >>> mel = Transform("speech-mel-80")
        >>> feature = mel.compute(mel.read("examples/audio/speech.flac"))
        >>> [axes] = plotting.plot_feature(feature, mel.config, title="a sentence")
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('time (s)', 'frequency (Hz)')
    """
    given = None if value_range is None else scales.checked_range(value_range)
    checks.real("start", start)
    panels = panels_of(feature, config, channel, n_frames)
    axes = figures.panels(ax, len(panels))
    for scale, found in shared_limits(panels).items():
        limits = found if given is None or scale.colours == scales.CYCLIC else given
        group = [panel for panel in panels if panel.scale == scale]
        places = [place for panel, place in zip(panels, axes, strict=True) if panel.scale == scale]
        images = [drawing.panel(place, panel, limits, start) for panel, place in zip(group, places, strict=True)]
        if colorbar and images[0] is not None:
            drawing.colour_bar(images[0], places, group, limits)
    figures.drop_inner_labels(axes)
    figures.set_title(axes[0], title)
    return axes

"""Figures of clips: the waveform over time."""

from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import MAX_CHANNELS
from audiopipe.errors import ArgumentError
from audiopipe.plotting import drawing, figures, scales
from audiopipe.plotting.panels import as_array


def plot_clip(
    clip: Any,
    sample_rate: int,
    ax: Any = None,
    *,
    channel: int | None = None,
    start: float = 0.0,
    title: str | None = None,
) -> np.ndarray:
    """Plots the waveform of a clip over time, with one panel for each channel.

    Args:
        clip: Samples, `[time]` or `[time, channels]`: an array or a tensor, as `Transform.read` returns it.
        sample_rate: Samples per second, in hertz.
        ax: Axes to draw on, one for each panel. None makes a figure with `matplotlib.pyplot`.
        channel: Number of a channel, to draw only this one. None draws all.
        start: Time at which the clip starts, in seconds.
        title: Title above the first panel.

    Returns:
        The axes of the panels: `[panels]`.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If the clip has another shape, or another argument does not fit it.

    Example:
        >>> from audiopipe import Transform, plotting
        >>> mel = Transform("speech-mel-80")
        >>> clip = mel.read("examples/audio/speech.flac")
        >>> [axes] = plotting.plot_clip(clip, mel.config.sample_rate)
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('time (s)', 'amplitude')
    """
    samples = as_array("clip", clip)
    checks.real("sample_rate", sample_rate, above=0)
    checks.real("start", start)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 0 < samples.shape[1] <= MAX_CHANNELS):
        raise ArgumentError(
            f"clip must have the shape [time] or [time, channels]. Received: shape={samples.shape}. Draw one clip of a "
            "batch, and put the channels last."
        )
    samples = samples if samples.ndim == 2 else samples[:, None]
    shown = range(samples.shape[1])
    if channel is not None:
        shown = range(checks.integer("channel", channel, minimum=0, maximum=len(shown) - 1), channel + 1)
    axes = figures.panels(ax, len(shown))
    extreme = np.abs(samples[np.isfinite(samples)]).max(initial=0) or 1.0
    for number, place in zip(shown, axes, strict=True):
        drawing.waveform(place, samples[:, number], scales.with_margin((-extreme, extreme)), start, 1 / sample_rate)
        place.set_ylabel("amplitude" if samples.shape[1] == 1 else f"channel {number}\namplitude")
    figures.drop_inner_labels(axes)
    figures.set_title(axes[0], title)
    return axes

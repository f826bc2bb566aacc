"""Drawing of panels on axes: pictures over time and bins, lines over time, and colour bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from audiopipe.plotting import bin_axis, figures, scales
from audiopipe.plotting.panels import Limits, Panel
from audiopipe.plotting.scales import Scale

MOST_COLUMNS = 8192  # more frames than that are pooled, as no screen shows them
MOST_POINTS = 16384
LONG_LABEL = 26  # characters


def panel(axes: Any, panel: Panel, limits: Limits, start: float) -> Any:
    """Draws a panel.

    Args:
        axes: The axes.
        panel: The panel.
        limits: Limits of the values, in drawn units.
        start: Time at which the clip starts, in seconds.

    Returns:
        The image that a colour bar describes. None if there is none.
    """
    if panel.config.n_bins == 1:
        _line(axes, panel, limits, start)
        return None
    return _picture(axes, panel, limits, start)


def _picture(axes: Any, panel: Panel, limits: Limits, start: float) -> Any:
    """Draws a panel as a picture, each frame around its centre in time, and returns the image if there are frames."""
    from matplotlib import colormaps

    low, high, step = spans(panel, start)
    figures.time_axis(axes, min(low, start), high)
    axes.set_ylim(-0.5, panel.config.n_bins - 0.5)
    axes.set_yticks(*bin_axis.bin_ticks(panel.config, bin_axis.most_ticks(axes, "vertical")))
    for place in bin_axis.block_starts(panel.config)[1:]:
        axes.axhline(place - 0.5, color=scales.MISSING, linewidth=0.8)
    axes.set_ylabel("\n".join([*panel.names, bin_axis.axis_label(panel.config)]))
    if not len(panel.values):
        axes.text(0.5, 0.5, "no frames", transform=axes.transAxes, ha="center", va="center")
        return None
    columns, count = pooled(panel.values, panel.scale)
    image = axes.imshow(
        columns.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(low, low + len(columns) * count * step, -0.5, panel.config.n_bins - 0.5),
        cmap=colormaps[panel.scale.colours].with_extremes(bad=scales.MISSING),
        vmin=limits[0],
        vmax=limits[1],
    )
    axes.set_xlim(min(low, start), high)  # frames that were pooled may reach beyond the last one
    return image


def _line(axes: Any, panel: Panel, limits: Limits, start: float) -> None:
    """Draws a panel of one bin as a line over time."""
    first, second = panel.config.frame_centres(2)
    waveform(axes, panel.values[:, 0], limits, start + first, second - first)
    axes.set_ylabel("\n".join([*panel.names, panel.scale.label]))


def waveform(axes: Any, values: np.ndarray, limits: Limits, start: float, step: float) -> None:
    """Draws samples as a line over time. Of many samples, it draws the smallest and the largest of neighbours."""
    figures.time_axis(axes, start, start + step * max(len(values), 1))
    axes.set_ylim(*limits)
    times = start + step * np.arange(len(values))
    if len(values) > MOST_POINTS:
        count = -(-len(values) // (MOST_POINTS // 2))
        blocks = np.pad(values, (0, -len(values) % count), mode="edge").reshape(-1, count)
        values = np.stack([np.fmin.reduce(blocks, axis=1), np.fmax.reduce(blocks, axis=1)], axis=1).ravel()
        times = np.repeat(times[::count], 2)
    axes.plot(times, values, linewidth=0.5)


def spans(panel: Panel, start: float) -> tuple[float, float, float]:
    """Returns the start of the first frame's cell, the end of the last one's, and the seconds between two frames.

    The cell of a frame is a hop long, and the centre of its window is in the middle.
    """
    first, second = panel.config.frame_centres(2)
    step = second - first
    low = start + first - step / 2
    return low, low + max(len(panel.values), 1) * step, step


def pooled(values: np.ndarray, scale: Scale) -> tuple[np.ndarray, int]:
    """Returns at most as many columns as can be seen, and how many frames each of them stands for.

    A column has the maximum of levels, the mean of values on both sides of zero, and the first of several phases.
    """
    count = -(-len(values) // MOST_COLUMNS)
    if count <= 1:
        return values, 1
    starts = np.arange(0, len(values), count)
    if scale.colours == scales.CYCLIC:
        return values[starts], count
    if scale.colours == scales.LEVELS:
        return np.maximum.reduceat(values, starts), count
    lengths = np.diff([*starts, len(values)])
    return np.add.reduceat(values, starts) / lengths[:, None], count


def colour_bar(image: Any, axes: Sequence[Any], panels: Sequence[Panel], limits: Limits) -> None:
    """Adds a colour bar to axes. Pointed ends say that there are values beyond the limits."""
    below = any((np.isfinite(panel.values) & (panel.values < limits[0])).any() for panel in panels)
    above = any((np.isfinite(panel.values) & (panel.values > limits[1])).any() for panel in panels)
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    scale = panels[0].scale
    bar = axes[0].figure.colorbar(image, ax=list(axes), label=_in_lines(scale.label), extend=extend[below, above])
    if scale.colours == scales.CYCLIC:
        bar.set_ticks([-np.pi, -np.pi / 2, 0, np.pi / 2, np.pi], labels=["-π", "-π/2", "0", "π/2", "π"])


def _in_lines(label: str) -> str:
    """Returns a label in two lines if it is long: the panel may be low."""
    return label.replace(" (", "\n(", 1) if len(label) > LONG_LABEL else label

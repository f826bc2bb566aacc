"""Histograms of one number of each clip, of one feature set or of two over each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from audiopipe.plotting import images
from audiopipe.plotting.reports.inline_svg import colour_of, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 32
SPREAD = 30  # values of which the largest is so many times the median have a logarithmic axis


def histogram(values: Sequence[np.ndarray], names: Sequence[str], label: str, what: str = "clips") -> "Figure":
    """Draws the distribution of numbers.

    Args:
        values: Numbers of each set, `[clips]`, of which one set at least has some.
        names: Letter of each set, which decides on its colour.
        label: Label of the axis of the numbers.
        what: Name of what is counted.
    """
    from matplotlib.ticker import MaxNLocator

    with style():
        figure = images.new_figure(4.8, 2.0)
        axes = figure.subplots()
        edges, is_logarithmic = _edges(np.concatenate(values))
        if is_logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        several = len(values) > 1
        for found, name in zip(values, names, strict=True):
            colour = colour_of(name)
            counts = np.histogram(found, edges)[0]
            heights = 100 * counts / max(1, len(found)) if several else counts
            if several:
                axes.stairs(heights, edges, color=colour, linewidth=1.4, label=name)
            axes.stairs(heights, edges, color=colour, fill=True, alpha=0.22 if several else 1.0)
        axes.set_xlabel(label)
        axes.set_ylabel(f"% of {what}" if several else what)
        axes.set_xlim(edges[0], edges[-1])
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=not several))
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
        if several:
            axes.legend(loc="upper right", fontsize=8)
    return figure


def _edges(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Returns the edges of the bars, and whether their axis is logarithmic."""
    values = values[np.isfinite(values)]
    low, high = values.min(), values.max()
    if low > 0 and high > SPREAD * np.median(values):
        return np.geomspace(low, high, BINS + 1), True
    if high - low < 1e-3 * max(abs(high), 1e-3):
        half = max(abs(high) / 20, 1e-3)
        return np.linspace(low - half, high + half, BINS + 1), False
    n_bins = len(np.histogram_bin_edges(values, "fd")) - 1 if len(values) > 1 else 1
    return np.linspace(low, high, min(max(n_bins, 12), BINS) + 1), False

"""Figures of statistics over the bins of a feature."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.plotting import bin_axis, figures, scales
from audiopipe.plotting.panels import panel_name

if TYPE_CHECKING:
    from audiopipe.signal.statistics import Statistics

DECADES = 1e3  # values of linear quantities that span more than this ratio have a logarithmic scale
ONE_SIDED = tuple(quantity for quantity in scales.LINEAR if not quantity.endswith("part"))  # never negative


def plot_statistics(
    statistics: "Statistics | Mapping[str, Statistics]",
    config: Config,
    ax: Any = None,
    *,
    title: str | None = None,
) -> np.ndarray:
    """Plots statistics over the bins of a feature.

    Each channel has a panel. A line shows the mean, and a band shows one standard deviation on either side of the mean.
    Dotted lines show the minimum and the maximum, if they are known.

    Args:
        statistics: Statistics of a feature, or a dict of several statistics by name, which are drawn over each other.
        config: Config of the feature. It gives the axes.
        ax: Axes to draw on, one for each panel. None makes a figure with `matplotlib.pyplot`.
        title: Title above the first panel.

    Returns:
        The axes of the panels: `[panels]`.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If the statistics do not have the bins of the config.

    Example:
        >>> from audiopipe import FeatureSet, plotting
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> [axes] = plotting.plot_statistics(sets.statistics, sets.config, title="all clips")
        >>> axes.get_xlabel()
        'frequency (Hz)'
    """
    named = dict(statistics) if isinstance(statistics, Mapping) else {"": statistics}
    channels = {drawn.mean.shape[1] for drawn in named.values()}
    if len(channels) != 1 or any(len(drawn.mean) != config.n_bins for drawn in named.values()):
        shapes = [drawn.mean.shape for drawn in named.values()]
        raise ArgumentError(
            f"statistics must have the {config.n_bins} bins of the config and equal shapes. Received: {shapes}."
        )
    [n_channels] = channels
    panels = figures.panels(ax, n_channels)
    for channel, axes in enumerate(panels):
        for number, (name, drawn) in enumerate(named.items()):
            _draw(axes, drawn, channel, name, f"C{number}")
        quantity = config.quantities[channel // (n_channels // len(config.quantities))]
        _scale(axes, list(named.values()), channel, quantity)
        names = [name for name in panel_name(channel, n_channels, config.quantities) if name != quantity]
        axes.set_ylabel("\n".join([*names, scales.value_label(config, quantity)]))
        axes.margins(x=0.01)
        if config.n_bins > 1:
            axes.set_xticks(*bin_axis.bin_ticks(config, bin_axis.most_ticks(axes, "horizontal")))
        else:
            axes.set_xticks([])
    if config.n_bins > 1:
        panels[-1].set_xlabel(bin_axis.axis_label(config).replace("\n", " "))
    _add_legend(panels[0], columns=len(named))
    figures.set_title(panels[0], title)
    return panels


def _add_legend(axes: Any, columns: int) -> None:
    """Adds a legend above what is drawn, with a column for each of several statistics."""
    lines, labels = axes.get_legend_handles_labels()
    rows = 1 if columns == 1 else -(-len(labels) // columns)
    space = (0.3 + 0.2 * rows) / (axes.get_window_extent().height / axes.figure.dpi)
    to_axis = axes.transScale
    (_, low), (_, high) = (to_axis.transform((1, value)) for value in axes.get_ylim())
    top = to_axis.inverted().transform((1, high + min(space, 0.9) * (high - low)))[1]
    axes.set_ylim(top=top)
    # a legend is filled column by column
    axes.legend(lines, labels, ncols=len(labels) if columns == 1 else columns, fontsize="small", loc="upper center")


def _draw(axes: Any, statistics: "Statistics", channel: int, name: str, colour: str) -> None:
    """Draws one channel of statistics over the bins."""
    mean, std = statistics.mean[:, channel], statistics.std[:, channel]
    bins = np.arange(len(mean))
    prefix = f"{name}: " if name else ""
    is_one = len(bins) == 1  # lines and bands need two bins
    axes.plot(bins, mean, color=colour, marker="o" if is_one else None, label=f"{prefix}mean")
    label = f"{prefix}mean ± standard deviation"
    if is_one:
        axes.errorbar(bins, mean, std, color=colour, capsize=8, label=label)
    else:
        axes.fill_between(bins, mean - std, mean + std, color=colour, alpha=0.25, linewidth=0, label=label)
    style: dict[str, Any] = {"marker": "_", "markersize": 24} if is_one else {}
    limits = [values for values in (statistics.min, statistics.max) if values is not None]
    for number, values in enumerate(limits):
        style["label"] = None if number else f"{prefix}minimum and maximum"
        axes.plot(bins, values[:, channel], color=colour, linestyle=":", linewidth=1, **style)


def _scale(axes: Any, drawn: list["Statistics"], channel: int, quantity: str) -> None:
    """Gives magnitudes and powers a logarithmic scale if they span several decades."""
    means = np.concatenate([statistics.mean[:, channel] for statistics in drawn])
    if quantity in ONE_SIDED and means.min() > 0 and means.max() / means.min() > DECADES:
        axes.set_yscale("log", nonpositive="clip")

"""Charts of a report: durations, statistics and levels of one feature set, or of two."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from audiopipe.configs.base import Config
from audiopipe.plotting import images
from audiopipe.plotting.reports import inline_svg, sentences
from audiopipe.plotting.reports.histograms import histogram
from audiopipe.plotting.reports.sides import Side
from audiopipe.plotting.statistics_plot import plot_statistics
from audiopipe.signal.statistics import Statistics

MOST_CHANNELS = 4  # of each quantity in a chart of statistics
WIDTH, PANEL_HEIGHT, MARGIN = 4.8, 1.9, 0.7  # inches
DURATIONS, LEVELS, STATISTICS, N_CHARTS = 0, 1, 3, 5  # numbers of figures, two of the last kinds


def durations(sides: Sequence[Side]) -> Markup | None:
    """Draws the durations of the clips. None if there are no clips, or all durations are equal."""
    shown = [side for side in sides if len(side.feature_set)]
    everything = np.concatenate([side.durations.seconds for side in sides])
    if not len(everything) or np.ptp(everything) < 5e-4:
        return None
    figure = histogram([side.durations.seconds for side in shown], _letters(shown), "duration (s)")
    return inline_svg.inlined(figure, DURATIONS, "Histogram of the durations of the clips.")


def levels(sides: Sequence[Side]) -> list[tuple[str, Markup]]:
    """Draws the levels of the clips of the samples: in one chart if they have the same unit.

    Returns:
        Pairs of the letter of a feature set, which is empty for a chart of several, and its chart.
    """
    shown = [side for side in sides if len(side.levels) > 1]
    groups = [shown] if len(set(map(sentences.level_unit, shown))) == 1 else [[side] for side in shown]
    charts = []
    for number, group in enumerate(groups):
        label = f"level of a clip, {sentences.level_unit(group[0])}"
        figure = histogram([side.levels for side in group], _letters(group), label)
        chart = inline_svg.inlined(figure, LEVELS + number, "Histogram of the levels of the clips.")
        charts.append((group[0].letter if len(group) == 1 else "", chart))
    return charts


def statistics(sides: Sequence[Side]) -> list[tuple[str, Markup]]:
    """Draws the statistics per bin: in one chart if all feature sets have the same feature.

    Returns:
        Pairs of the letter of a feature set, which is empty for a chart of several, and its chart.
    """
    known = [(side, side.statistics) for side in sides if side.statistics is not None]
    shapes = {(side.feature_set.fingerprint, found.mean.shape) for side, found in known}
    if len(known) > 1 and len(shapes) == 1:
        return [("", _statistics({side.letter: found for side, found in known}, known[0][0].config, STATISTICS))]
    return [
        (side.letter, _statistics({side.letter: found}, side.config, STATISTICS + number))
        for number, (side, found) in enumerate(known)
    ]


def _statistics(named: dict[str, Statistics], config: Config, number: int) -> Markup:
    drawn = {name: _first_channels(found, len(config.quantities)) for name, found in named.items()}
    panels = next(iter(drawn.values())).mean.shape[1]
    colour = inline_svg.colour_of(*drawn)
    with inline_svg.style(colour):
        figure = images.new_figure(WIDTH, MARGIN + PANEL_HEIGHT * panels)
        axes = figure.subplots(panels, 1, squeeze=False, sharex=True)[:, 0]
        plot_statistics(drawn if len(drawn) > 1 else next(iter(drawn.values())), config, axes)
        lines, labels = axes[0].get_legend_handles_labels()
        axes[0].get_legend().remove()  # which may hide lines
        axes[0].autoscale(axis="y")  # it had space above the lines
        for place in axes:  # a label may be longer than its axis
            place.set_ylabel(place.get_ylabel().replace(" (", "\n("))
        columns = len(drawn) if len(drawn) > 1 else len(labels)  # a legend is filled column by column
        figure.legend(lines, labels, loc="outside lower left", ncols=columns, fontsize=7, frameon=False)
    return inline_svg.inlined(figure, number, "Mean, standard deviation, minimum and maximum of every bin.", colour)


def _first_channels(found: Statistics, quantities: int) -> Statistics:
    """Returns the statistics of the first channels of each quantity."""
    n_channels = found.mean.shape[1] // quantities
    if n_channels <= MOST_CHANNELS:
        return found
    kept = [quantity * n_channels + channel for quantity in range(quantities) for channel in range(MOST_CHANNELS)]
    arrays = {name: getattr(found, name) for name in ("mean", "std", "min", "max", "count")}
    first: dict[str, Any] = {name: None if array is None else array[:, kept] for name, array in arrays.items()}
    return Statistics(**first)


def _letters(sides: Sequence[Side]) -> list[str]:
    return [side.letter for side in sides]

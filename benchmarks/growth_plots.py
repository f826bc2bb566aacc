"""Figures of time and memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

# The colours also differ in lightness, so that they are distinct in black and white and with colour blindness.
STYLES = (("#0b5fa5", "o"), ("#e07b00", "s"), ("#7f7f7f", "^"))
MAX_LINEAR_RATIO = 8  # largest ratio of values that a linear scale from zero shows well


@dataclass(frozen=True)
class Look:
    """Labels of a figure.

    Args:
        x: Label of the horizontal axis.
        time: Label of the time axis.
        is_per_clip: Whether to divide the time by the number of clips per batch.
        title: Title of the figure.
    """

    x: str
    time: str
    is_per_clip: bool
    title: str


FIGURES = {
    "length": Look("length of the clip", "time (ms)", False, "One clip, 400/160/80 at 16 kHz"),
    "batch": Look("clips per batch", "time per clip (ms)", True, "Clips of 10 s, 400/160/80 at 16 kHz"),
    "mels": Look("mel bands", "time per clip (ms)", True, "16 clips of 10 s, 2048/512 at 22.05 kHz"),
    "threads": Look("threads", "time per clip (ms)", True, "16 clips of 10 s, 400/160/80 at 16 kHz"),
}


def draw(name: str, measured: list[dict[str, Any]], path: Path) -> None:
    """Draws time and memory of one figure side by side, with one line per contender.

    Args:
        name: Name of the figure, one of `FIGURES`.
        measured: Measured points with `contender`, `x`, `batch`, `seconds` and `bytes`, see `benchmarks.growth`.
        path: Image file to write.
    """
    look = FIGURES[name]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    contenders = list(dict.fromkeys(point["contender"] for point in measured))
    for contender, (colour, marker) in zip(contenders, STYLES, strict=False):
        own = [point for point in measured if point["contender"] == contender]
        x = [point["x"] for point in own]
        times = [1000 * point["seconds"] / (point["batch"] if look.is_per_clip else 1) for point in own]
        megabytes = [point["bytes"] / 1e6 for point in own]
        for axes, values in zip(panels, (times, megabytes), strict=True):
            axes.plot(x, values, color=colour, marker=marker, markersize=5, label=contender)
    for axes, label in zip(panels, (look.time, "peak of added memory (MB)"), strict=True):
        _scale(axes, name, sorted({point["x"] for point in measured}))
        axes.set_xlabel(look.x)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(contenders), frameon=False
    )
    figure.suptitle(look.title)
    with matplotlib.rc_context({"svg.hashsalt": name}):  # makes the file depend on the numbers alone
        figure.savefig(path, metadata={"Date": None})


def _scale(axes: Any, name: str, x: list[float]) -> None:
    """Sets a logarithmic x axis with the measured values as ticks, and a linear y axis if the values vary little."""
    axes.set_xscale("log")
    ticks = [value for value in x if name != "length" or value in LENGTH_TICKS]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: _duration(value) if name == "length" else f"{value:g}")
    )
    lines = [value for line in axes.lines for value in line.get_ydata()]
    if min(lines) > 0 and max(lines) > MAX_LINEAR_RATIO * min(lines):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_ylim(bottom=0)


LENGTH_TICKS = (1, 10, 60, 900, 3600)


def _duration(seconds: float) -> str:
    """Formats a duration in seconds, minutes or hours.

    Example:
        >>> _duration(10.0), _duration(300.0), _duration(3600.0)
        ('10 s', '5 min', '1 h')
    """
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"

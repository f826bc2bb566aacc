"""Axes to draw on: those of the caller, or those of a new figure."""

import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np

from audiopipe.errors import ArgumentError, MissingDependencyError

WIDTH = 9.0  # of a new figure, in inches
PANEL_HEIGHT = 3.0
LETTER_WIDTH = 0.6  # of the size of the font, on average


def require_matplotlib() -> None:
    """Raises an error that says what to install if matplotlib is missing.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            'Plotting needs the package matplotlib, which is not installed: pip install "audiopipe[plot]".'
        ) from error


def panels(ax: Any, count: int, columns: int = 1) -> np.ndarray:
    """Returns axes to draw on, one for each panel.

    Args:
        ax: Axes, or a sequence of them. None makes a figure with `matplotlib.pyplot`.
        count: Number of panels.
        columns: Number of columns of a new figure. The panels fill one column after the other.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If `ax` is neither axes nor as many axes as there are panels.
    """
    require_matplotlib()
    if ax is None:
        from matplotlib import pyplot

        rows = count // columns
        size = (WIDTH if columns == 1 else 6 * columns, 0.5 + PANEL_HEIGHT * rows)
        return pyplot.subplots(rows, columns, figsize=size, squeeze=False, sharex=True, layout="constrained")[
            1
        ].T.ravel()
    from matplotlib.axes import Axes

    given = [ax] if isinstance(ax, Axes) else _flat(ax)
    if not all(isinstance(item, Axes) for item in given):
        raise ArgumentError(
            f"ax must be matplotlib Axes, or a sequence of them. Received: {type(ax).__name__}. Use the axes that "
            "matplotlib.pyplot.subplots returns."
        )
    if len(given) != count:
        raise ArgumentError(
            f"There must be Axes for each of the {count} panel{'' if count == 1 else 's'}. Received: {len(given)}. Use "
            f"matplotlib.pyplot.subplots({count}), or leave the axes out."
        )
    axes = np.empty(count, object)
    axes[:] = given
    return axes


def set_title(axes: Any, title: str | None) -> None:
    """Sets a title verbatim: dollar signs are no formulas, and characters that cannot be printed are escaped.

    A title that is wider than the axes is broken into lines. matplotlib would read formulas to measure it.
    """
    if title is None:
        return
    points = axes.get_window_extent().width / axes.figure.dpi * 72
    letters = max(20, int(points / (LETTER_WIDTH * axes.title.get_fontsize())))
    lines = [textwrap.wrap(line, letters, replace_whitespace=False) or [""] for line in printable(title).split("\n")]
    axes.set_title("\n".join(line for wrapped in lines for line in wrapped), parse_math=False)


def printable(text: str) -> str:
    r"""Returns text in which all characters but line breaks can be drawn.

    Example:
        >>> printable("caf\udce9")
        'caf\\udce9'
    """
    return "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in text
    )


def time_axis(axes: Any, low: float, high: float) -> None:
    """Makes the horizontal axis one of seconds."""
    axes.set_xlim(low, high)
    axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    axes.set_xlabel("time (s)")


def drop_inner_labels(axes: Iterable[Any]) -> None:
    """Removes the labels of time of panels that share their horizontal axis with a panel below."""
    for place in axes:
        spec, sharing = place.get_subplotspec(), place.get_shared_x_axes().get_siblings(place)
        if spec is not None and not spec.is_last_row() and len(sharing) > 1:
            place.set_xlabel("")


def _flat(ax: Any) -> list[Any]:
    if isinstance(ax, np.ndarray):
        return list(ax.ravel())
    return list(ax) if isinstance(ax, Iterable) else [ax]

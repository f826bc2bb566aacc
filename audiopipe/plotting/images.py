"""Figures that are saved as images."""

import os
from typing import TYPE_CHECKING

from audiopipe.errors import ArgumentError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> "Figure":
    """Returns an empty figure that needs no screen.

    Args:
        width: Width in inches.
        height: Height in inches.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            'Plotting needs the package matplotlib, which is not installed: pip install "audiopipe[plot]".'
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: "Figure", path: str | os.PathLike[str], title: str) -> None:
    """Saves a figure as an image, whose format is that of the extension.

    Args:
        figure: The figure.
        path: Path of the image.
        title: Title of the figure, such as a path: dollar signs are no formulas, and bytes that are not UTF-8 are
            escaped.

    Raises:
        ArgumentError: If the image cannot be written.
    """
    figure.suptitle(title.encode("utf-8", "backslashreplace").decode(), parse_math=False)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ArgumentError(f"Could not write the image {os.fspath(path)!r}: {error}.") from error

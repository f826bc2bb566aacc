"""Images: figures without a screen, and files of them."""

import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.plotting.figures import PANEL_HEIGHT, WIDTH, require_matplotlib
from audiopipe.plotting.statistics_plot import plot_statistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from audiopipe.signal.statistics import Statistics


def new_figure(width: float, height: float) -> "Figure":
    """Returns an empty figure that needs no screen.

    Args:
        width: Width in inches.
        height: Height in inches.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_path(path: str | os.PathLike[str]) -> None:
    """Raises an error if an image cannot be written, before anything is computed.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If its folder does not exist, or if matplotlib cannot write the format of its extension.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    formats = FigureCanvasAgg.get_supported_filetypes()
    if os.path.splitext(path)[1].lower().removeprefix(".") not in formats:
        raise ArgumentError(
            f"The image must have the extension of a format that matplotlib writes: {', '.join(sorted(formats))}. "
            f"Received: {os.fspath(path)!r}. The image is the last argument, for example feature.png."
        )
    folder = os.path.dirname(path) or os.curdir
    if not os.path.isdir(folder):
        raise ArgumentError(f"The folder of the image must exist. Received: {os.fspath(path)!r}. Create {folder!r}.")


def save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Saves a figure as an image, whose format is that of the extension.

    Args:
        figure: The figure.
        path: Path of the image.

    Raises:
        ArgumentError: If the image cannot be written.
    """
    try:
        with warnings.catch_warnings():
            # A letter that the font lacks, in the name of a file, is drawn as a box.
            warnings.filterwarnings("ignore", message="Glyph ")
            figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise ArgumentError(f"Could not write the image {os.fspath(path)!r}: {error}.") from error


def save_statistics(
    statistics: "Statistics | Mapping[str, Statistics]", config: Config, path: str | os.PathLike[str], title: str
) -> None:
    """Saves a figure of statistics as an image, see `audiopipe.plotting.plot_statistics`.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If the statistics do not have the bins of the config, or the image cannot be written.
    """
    first = next(iter(statistics.values())) if isinstance(statistics, Mapping) else statistics
    panels = first.mean.shape[1]
    figure = new_figure(WIDTH, 1 + PANEL_HEIGHT * panels)
    plot_statistics(statistics, config, figure.subplots(panels, 1, squeeze=False)[:, 0], title=title)
    save(figure, path)

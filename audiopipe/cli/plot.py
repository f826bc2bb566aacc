"""The command `audiopipe plot`."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiopipe.cli.completion import config_names
from audiopipe.cli.shared_arguments import CONFIG_HELP, DEFAULT_CONFIG, ImportOption
from audiopipe.cli.terminal import console

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from audiopipe.cli.plot_sources import Found

COLUMN_WIDTH = 6.0  # inches, of one of several configs


def plot(
    clips: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIP",
            help="Audio files, or clips of a feature set as SET#id. Several are drawn under each other.",
            show_default=False,
        ),
    ],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image file to write, for example feature.png.")],
    config: Annotated[
        list[str],
        typer.Option(
            help=f"{CONFIG_HELP} Several are drawn side by side. The default is {DEFAULT_CONFIG}. A clip of a feature "
            "set has the config of its set.",
            autocompletion=config_names,
            show_default=False,
        ),
    ] = [],  # noqa: B006 (typer copies it)
    start: Annotated[float, typer.Option(help="Draw the clips from this time on, in seconds.")] = 0.0,
    seconds: Annotated[
        float | None, typer.Option(help="Draw this many seconds. Default: to the end of the clip.", show_default=False)
    ] = None,
    accept_truncated: Annotated[
        bool, typer.Option("--accept-truncated", help="Draw what is there of damaged or truncated audio files.")
    ] = False,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Plot the features of audio files, or of clips of a feature set, over time and frequency.

    With --start or --seconds, the feature is that of the stretch alone. The stretch is cut out after resampling. Of a
    clip of a feature set, the frames are drawn whose centres are within the stretch.
    """
    from audiopipe.cli import plot_sources
    from audiopipe.plotting import images

    images.check_path(image)
    stretch = plot_sources.Stretch(start, seconds)
    find = functools.partial(plot_sources.found, configs=config, stretch=stretch, accept_truncated=accept_truncated)
    found = [named for word in clips for named in find(word)]
    images.save(_figure(found, columns=len(config) or 1), image)
    what = f"feature of shape {found[0].feature.shape}" if len(found) == 1 else f"{len(found)} features"
    console.print(f"{image}: {what}", highlight=False, markup=False, soft_wrap=True)


def _figure(found: "Sequence[Found]", columns: int) -> "Figure":
    """Returns a figure of one feature, or of several: each config has a column, and each clip has a row."""
    from audiopipe.plotting import comparison_plot, figures, images, plot_feature
    from audiopipe.plotting.comparison_plot import Item
    from audiopipe.plotting.panels import panels_of

    items = [Item(one.name, panels_of(one.feature, one.config), one.start) for one in found]
    counts = {len(item.panels) for item in items}
    columns = columns if len(counts) == 1 else 1
    rows = sum(len(item.panels) for item in items) // columns
    width = figures.WIDTH if columns == 1 else COLUMN_WIDTH * columns
    figure = images.new_figure(width, 1 + figures.PANEL_HEIGHT * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    if len(found) == 1:
        [one] = found
        plot_feature(one.feature, one.config, grid[:, 0], start=one.start, title=one.name)
    else:
        # [clips, panels, configs] -> [clips, configs, panels]
        places = grid.reshape(len(items) // columns, -1, columns).transpose(0, 2, 1) if columns > 1 else grid
        comparison_plot.draw(items, places.ravel())
    return figure

"""The command `audiopipe plot`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from audiopipe.cli.shared_arguments import CONFIG_HELP, ImportOption
from audiopipe.cli.terminal import console
from audiopipe.runtime import startup


def plot(
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="An audio file.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image file to write, for example feature.png.")],
    config: Annotated[str, typer.Option(help=CONFIG_HELP)] = "speech-mel-80",
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Plot the feature of an audio file over time and frequency."""
    with startup.quiet():
        from audiopipe.transform import Transform
    from audiopipe.plotting import images, panels, plot_feature

    transform = Transform(config)
    feature = transform.compute(transform.read(clip))
    count = len(panels.panels_of(feature, transform.config))
    figure = images.new_figure(9, 1 + 3 * count)
    axes = figure.subplots(count, 1, squeeze=False)[:, 0]
    plot_feature(feature, transform.config, axes, title=f"{os.path.basename(clip)}: {config}")
    images.save(figure, image)
    console.print(f"{image}: feature of shape {feature.shape}", highlight=False)

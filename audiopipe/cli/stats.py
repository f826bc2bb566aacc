"""The command `audiopipe stats`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiopipe.cli import conditions
from audiopipe.cli.conditions import WhereOption
from audiopipe.cli.shared_arguments import ImportOption
from audiopipe.cli.terminal import console, facts_table, print_fact
from audiopipe.wording import count_of

if TYPE_CHECKING:
    from audiopipe.feature_sets import FeatureSet
    from audiopipe.signal.statistics import Statistics


def stats(
    folder: Annotated[str, typer.Argument(metavar="SET", help="Folder of the feature set, local or remote.")],
    where: WhereOption = [],  # noqa: B006 (typer copies it)
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for programs. The documentation describes its keys.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the statistics as this image, such as stats.png.")] = None,
    all_bins: Annotated[bool, typer.Option("--all-bins", help="Print a row for each bin, however many.")] = False,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Show the mean, the standard deviation, the minimum and the maximum of every bin of a feature set.

    Only real frames count, no padding. Statistics of the whole set are stored with it. Those of some clips are computed
    from their features, and kept in a cache.
    """
    from audiopipe.feature_sets import FeatureSet

    clips = conditions.chosen(FeatureSet(folder), where)
    statistics = clips.statistics
    if plot is not None:
        from audiopipe.plotting import images

        images.save_statistics(statistics, clips.config, plot, title=" ".join([folder, *where]))
    if as_json:
        typer.echo(json.dumps(_facts(folder, where, clips, statistics), indent=2))
    else:
        _print(folder, where, clips, statistics, all_bins)
    if plot is not None:
        print_fact(f"{plot}: statistics of {count_of(len(clips), 'clip')}")


def _facts(folder: str, where: list[str], clips: "FeatureSet", statistics: "Statistics") -> dict[str, object]:
    from audiopipe.cli.bin_tables import channel_names

    return {
        "path": folder,
        "where": where,
        "clips": len(clips),
        "dtype": clips.dtype,
        "config": clips.config.to_dict(),
        "frequencies": clips.config.frequencies().tolist(),
        "channels": channel_names(clips.config, statistics.mean.shape[1]),
        "statistics": statistics.to_dict(),
    }


def _print(folder: str, where: list[str], clips: "FeatureSet", statistics: "Statistics", all_bins: bool) -> None:
    from audiopipe.cli import bin_tables

    config = clips.config
    n_bins, n_channels = statistics.mean.shape
    table = facts_table()
    table.add_row("feature set", folder)
    for condition in where:
        table.add_row("where", condition)
    table.add_row("config", f"{type(config).__name__} {clips.fingerprint[:12]}")
    table.add_row("quantity", ", ".join(config.quantities))
    table.add_row("clips", f"{len(clips):,}")
    if statistics.count is not None:
        pooled = "" if config.channels is not None else ", each channel of a clip counts"
        table.add_row("frames", f"{int(statistics.count.max()):,}{pooled}")
    table.add_row("stored as", clips.dtype)
    console.print(table)
    table = bin_tables.bin_table(config, n_channels, ("mean", "std", "min", "max"))
    for channel, name in enumerate(bin_tables.channel_names(config, n_channels)):
        rows = [*bin_tables.groups(n_bins, n_bins if all_bins else bin_tables.MOST_ROWS)]
        for bins in [*rows, *([slice(0, n_bins)] if len(rows) > 1 else [])]:
            found = bin_tables.pooled(statistics, bins, slice(channel, channel + 1))
            values = map(bin_tables.number, (found.mean, found.std, found.min, found.max))
            table.add_row(*bin_tables.bin_cells(config, bins, name), *values)
            if bins is rows[-1]:
                table.add_section()
        table.add_section()
    console.print(table)

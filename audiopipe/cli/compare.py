"""The command `audiopipe compare`."""

import json
import math
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiopipe.cli import conditions
from audiopipe.cli.conditions import WHERE_HELP
from audiopipe.cli.shared_arguments import IMPORT_HELP, import_modules
from audiopipe.cli.terminal import console, facts_table, print_error, print_fact
from audiopipe.errors import AudiopipeError
from audiopipe.wording import count_of

if TYPE_CHECKING:
    from audiopipe.feature_sets import FeatureSet
    from audiopipe.signal.statistics import Statistics
    from audiopipe.verification import Drift

ERROR = 2  # exit code, because 1 means that the sets differ


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="Folder of the feature set whose clips are the norm.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Folder of the feature set to compare. It may be the same.")],
    where: Annotated[
        list[str],
        typer.Option("--where", metavar="COLUMN=VALUE", help=f"Of both sets: {WHERE_HELP}", show_default=False),
    ] = [],  # noqa: B006 (typer copies it)
    where_a: Annotated[
        list[str], typer.Option("--where-a", metavar="COLUMN=VALUE", help="The same of A alone.", show_default=False)
    ] = [],  # noqa: B006
    where_b: Annotated[
        list[str], typer.Option("--where-b", metavar="COLUMN=VALUE", help="The same of B alone.", show_default=False)
    ] = [],  # noqa: B006
    tolerance: Annotated[
        float, typer.Option(help="Largest difference to accept, in standard deviations of A.", min=0)
    ] = 0.1,
    worst: Annotated[int, typer.Option(help="Print this many bins, those that differ most.", min=1)] = 10,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for programs. The documentation describes its keys.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw both as this image, such as drift.png.")] = None,
    imports: Annotated[
        list[str], typer.Option("--import", metavar="MODULE", help=IMPORT_HELP, show_default=False)
    ] = [],  # noqa: B006
) -> None:
    """Compare the statistics of two feature sets, or of some of their clips, bin by bin.

    The differences of means and of standard deviations are given in standard deviations of A. The exit code is 0 if all
    are within **--tolerance**, 1 if not, and 2 if the sets cannot be compared.
    """
    try:
        import_modules(imports)  # here, because an error has the exit code 2
        within = _compare((a, b), where, (where_a, where_b), tolerance, worst, as_json, plot)
    except AudiopipeError as error:
        print_error(error)
        raise typer.Exit(ERROR) from error
    except Exception as error:
        traceback.print_exc()
        raise typer.Exit(ERROR) from error
    if not within:
        raise typer.Exit(1)


def _compare(
    paths: tuple[str, str],
    where: list[str],
    where_each: tuple[list[str], list[str]],
    tolerance: float,
    worst: int,
    as_json: bool,
    plot: Path | None,
) -> bool:
    """Prints the comparison and returns whether all differences are within the tolerance."""
    from audiopipe import checks
    from audiopipe.feature_sets import FeatureSet
    from audiopipe.verification import compare_statistics

    tolerance = checks.real("tolerance", tolerance, minimum=0)
    sets = [FeatureSet(path) for path in paths]
    sets[1].expect(sets[0].config, sets[0].kernel_version)
    sets = [conditions.chosen(clips, where) for clips in sets]
    first = conditions.chosen(sets[0], where_each[0], "--where-a")
    second = conditions.chosen(sets[1], where_each[1], "--where-b")
    statistics = first.statistics, second.statistics
    found = compare_statistics(*statistics)
    names = [" ".join([path, *where, *own]) for path, own in zip(paths, where_each, strict=True)]
    if plot is not None:
        from audiopipe.plotting import images

        title = f"A: {names[0]}\nB: {names[1]}"
        images.save_statistics(dict(zip("AB", statistics, strict=True)), first.config, plot, title=title)
    if as_json:
        sides = [
            {"path": path, "where": [*where, *own], "clips": len(clips), "dtype": clips.dtype}
            for path, own, clips in zip(paths, where_each, (first, second), strict=True)
        ]
        typer.echo(json.dumps(_facts(sides, first, statistics, found, tolerance), indent=2))
    else:
        table = facts_table()
        for side, name, clips in (("A", names[0], first), ("B", names[1], second)):
            table.add_row(side, name, _size(clips))
        console.print(table)
        _print(first, statistics, found, tolerance, worst)
    if first.dtype != second.dtype:
        print_fact(f"A is stored as {first.dtype} and B as {second.dtype}, so a difference may be due to rounding")
    return found.largest <= tolerance


def _size(clips: "FeatureSet") -> str:
    count = _count(clips.statistics)
    frames = "" if count is None else f", {count_of(count, 'frame')}"
    return count_of(len(clips), "clip") + frames


def _print(
    clips: "FeatureSet", statistics: "tuple[Statistics, Statistics]", found: "Drift", tolerance: float, worst: int
) -> None:
    from audiopipe.cli.bin_tables import bin_cells, bin_table, channel_names, number

    first, second = statistics
    n_channels = first.mean.shape[1]
    channels = channel_names(clips.config, n_channels)
    columns = ("mean of A", "mean of B", "difference", "std of A", "std of B", "difference")
    table = bin_table(clips.config, n_channels, columns)
    for bin_number, channel in found.worst()[:worst]:
        place = bin_number, channel
        table.add_row(
            *bin_cells(clips.config, slice(bin_number, bin_number + 1), channels[channel]),
            *(number(float(side.mean[place])) for side in (first, second)),
            f"{found.mean[place]:+.3f} std",
            *(number(float(side.std[place])) for side in (first, second)),
            f"{found.std[place]:+.3f} std",
        )
    console.print(table)
    beyond, total = found.beyond(tolerance), found.sizes.size
    what = "bins" if n_channels == 1 else "bins of all channels"
    if beyond:
        text = f"{beyond} of {total} {what} differ by more than {tolerance:g} standard deviations of A."
    else:
        text = f"All {total} {what} are within {tolerance:g} standard deviations of A."
    console.print(f"{text} The largest difference is {found.largest:.3g}.", highlight=False)


def _facts(
    sides: list[dict[str, object]],
    clips: "FeatureSet",
    statistics: "tuple[Statistics, Statistics]",
    found: "Drift",
    tolerance: float,
) -> dict[str, object]:
    from audiopipe.cli.bin_tables import channel_names

    first, second = statistics
    frequencies = clips.config.frequencies()
    names = channel_names(clips.config, first.mean.shape[1])
    return {
        "a": sides[0] | {"frames": _count(first)},
        "b": sides[1] | {"frames": _count(second)},
        "fingerprint": clips.fingerprint,
        "tolerance": tolerance,
        "within": found.largest <= tolerance,
        "beyond": found.beyond(tolerance),
        "largest": _finite(found.largest),
        "bins": [
            {
                "bin": place[0],
                "frequency": float(frequencies[place[0]]),
                "channel": names[place[1]],
                "mean_a": float(first.mean[place]),
                "mean_b": float(second.mean[place]),
                "mean_difference": _finite(float(found.mean[place])),
                "std_a": float(first.std[place]),
                "std_b": float(second.std[place]),
                "std_difference": _finite(float(found.std[place])),
            }
            for place in found.worst()
        ],
    }


def _count(statistics: "Statistics") -> int | None:
    return None if statistics.count is None else int(statistics.count.max())


def _finite(value: float) -> float | None:
    """Returns a number that JSON has. It has no infinity."""
    return value if math.isfinite(value) else None

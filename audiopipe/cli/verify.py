"""The command `audiopipe verify`."""

from typing import Annotated, Literal

import typer

from audiopipe.cli.shared_arguments import ImportOption, OutputArgument
from audiopipe.cli.terminal import VerbatimTable, console, errors, print_fact
from audiopipe.runtime import startup
from audiopipe.wording import count_of


def verify(
    output: OutputArgument,
    sources: Annotated[
        list[str],
        typer.Option(
            "--input",
            help="The INPUT that the feature set was made from. Can be repeated. Put quotes around a glob. Default: "
            "none, so only files are checked.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 (typer copies it)
    door: Annotated[Literal["tfdata", "hf", "both"], typer.Option(help="The door to recompute with.")] = "both",
    sample: Annotated[
        int | None, typer.Option(help="Recompute only this many clips, spread over OUTPUT.", min=1)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Recompute all clips, which is the default.")] = False,
    tolerance: Annotated[float | None, typer.Option(help="Largest absolute difference to accept.", min=0)] = None,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Check all files of OUTPUT: checksums, records, index and counts.

    With **--input**, recompute the features from the audio as well, and compare them bit by bit. The exit code is 0
    only if every bit agrees, or every difference is within **--tolerance**, and no clip is missing.
    """
    if everything and sample is not None:
        raise typer.BadParameter("--sample and --all cannot be combined.")
    if not sources and (everything or sample is not None or tolerance is not None or door != "both"):
        raise typer.BadParameter("--door, --sample, --all and --tolerance need --input.")
    from audiopipe.cli import task_progress
    from audiopipe.inputs import SeveralInputs
    from audiopipe.verification import set_check

    if sources:
        startup.tensorflow()
    source = SeveralInputs(sources) if len(sources) > 1 else next(iter(sources), None)
    with task_progress.shown() as update:
        report = set_check.verify(output, source, door=door, sample=sample, tolerance=tolerance, progress=update)
    counts = report.feature_set.counts
    shards = len(report.feature_set.shards)
    records = count_of(counts["clips"], "record")
    console.print(f"shards: {shards}, with {records}; checksums and counts agree", highlight=False)
    if source is None:
        return
    table = VerbatimTable("door", "clips", "values", "differing", "max", "mean", "worst clip")
    for row in report.comparisons:
        table.add_row(
            row.door,
            str(row.clips),
            f"{row.values:,}",
            f"{row.differing:,}",
            f"{row.max_difference:g}",
            f"{row.mean_difference:g}",
            row.worst_clip or "",
        )
    console.print(table)
    for title, ids in (("in OUTPUT but not in INPUT", report.missing), ("in INPUT but not in OUTPUT", report.unknown)):
        if ids:
            errors.print(f"clips {title}: {len(ids)}, the first is {ids[0]}", markup=False, highlight=False)
    if counts["failures"]:
        print_fact(f"clips that were not compared, because they failed in precompute: {counts['failures']}")
    if report.feature_set.dtype != "float32":
        print_fact(f"features are stored as {report.feature_set.dtype}, so recomputed features were rounded to it")
    if report.machine:
        print_fact(report.machine)
    if not report.ok:
        raise typer.Exit(1)
    within = tolerance is not None and any(row.differing for row in report.comparisons)
    console.print(f"Every difference is within {tolerance:g}." if within else "Every bit agrees.")

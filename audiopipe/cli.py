"""The command line. Heavy libraries are imported within the commands, so that `--help` answers at once."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from audiopipe import startup
from audiopipe.errors import AudiopipeError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Describe an audio feature once, compute it anywhere, and get the same bits.",
)
configs_app = typer.Typer(no_args_is_help=True, help="Show the configs that have names, and what differs between two.")
app.add_typer(configs_app, name="configs")

SHOWN_FAILURES = 5
PIPED_WIDTH = 200  # columns; a table that another program reads is not folded to the width of a screen

console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True)

InputArgument = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="A folder (walked for audio files), a glob in quotes, a CSV or JSONL manifest with a column **path** and "
        "optionally **id** (other columns become metadata), a Parquet file, or a folder written by "
        "datasets.Dataset.save_to_disk. Local, or remote like gs://bucket/clips.",
    ),
]
OutputArgument = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder of the feature set, local or remote.")]
CONFIG_HELP = "A registered name (see **audiopipe configs list**), name@fingerprint, or the path of a JSON file."


PRECOMPUTE_SETTINGS: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "epilog": "Options that are not listed here go to Apache Beam, for example **--runner=DataflowRunner**, or "
    "**--direct_running_mode=multi_processing --direct_num_workers=2** for two processes on this machine.",
}


@app.command(**PRECOMPUTE_SETTINGS)
def precompute(
    context: typer.Context,
    source: InputArgument,
    output: OutputArgument,
    config: Annotated[str, typer.Option(help=CONFIG_HELP)],
    num_shards: Annotated[int | None, typer.Option(help="Number of shards.", show_default="one for 256 clips")] = None,
    segment_seconds: Annotated[
        float | None, typer.Option(help="Cut recordings into clips of this length.", show_default="whole recordings")
    ] = None,
    segment_hop: Annotated[
        float | None, typer.Option(help="Seconds between the starts of segments.", show_default="their length")
    ] = None,
    segment_last: Annotated[
        str | None, typer.Option(help="An incomplete last segment: **drop**, **pad** or **keep**.", show_default="drop")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the feature set that is in OUTPUT.")] = False,
) -> None:
    """Compute the features of all clips of INPUT and write them to OUTPUT as a feature set.

    OUTPUT gets TFRecord shards, **failures.jsonl** with a line for each clip that could not be read, and last
    **dataset.json**. A bad file never stops the job: the exit code is 0 also where some clips failed.
    """
    import time

    if segment_seconds is None and (segment_hop is not None or segment_last is not None):
        raise typer.BadParameter("--segment-hop and --segment-last need --segment-seconds.")
    with startup.quiet():
        from audiopipe import beam
        from audiopipe.segments import Segments

    segments = None
    if segment_seconds is not None:
        segments = Segments(seconds=segment_seconds, hop=segment_hop, last=segment_last or "drop")
    started = time.perf_counter()
    with _progress() as report:
        feature_set = beam.precompute(
            source,
            output,
            config,
            num_shards=num_shards,
            segments=segments,
            overwrite=overwrite,
            beam_options=context.args,
            progress=report,
        )
    seconds = time.perf_counter() - started
    counts = feature_set.counts
    table = _facts()
    table.add_row("feature set", output)
    table.add_row("config", f"{type(feature_set.config).__name__} {feature_set.fingerprint[:12]}")
    table.add_row("clips", str(counts["clips"]))
    table.add_row("failures", f"{counts['failures']}" + (" (see failures.jsonl)" if counts["failures"] else ""))
    table.add_row("audio", _duration(counts["hours"] * 3600))
    table.add_row("size", _size(feature_set))
    table.add_row("time", f"{seconds:.1f} s, {counts['hours'] * 3600 / seconds:.0f} times real time")
    console.print(table)
    failures = feature_set.failures()
    for failure in failures[:SHOWN_FAILURES]:
        line = f"failed: {failure['id']} ({failure['stage']}): {failure['error']}"
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(failures) > SHOWN_FAILURES:
        errors.print(f"and {len(failures) - SHOWN_FAILURES} more", highlight=False)


@app.command()
def verify(
    output: OutputArgument,
    source: Annotated[str, typer.Option("--input", help="The INPUT that the feature set was made from.")],
    door: Annotated[str, typer.Option(help="What to recompute with: **tfdata**, **hf** or **both**.")] = "both",
    sample: Annotated[int | None, typer.Option(help="Recompute this many clips, spread over OUTPUT.", min=1)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Recompute all clips, as it does by default.")] = False,
    tolerance: Annotated[float | None, typer.Option(help="Greatest absolute difference that is fine.", min=0)] = None,
) -> None:
    """Check the shards of OUTPUT, recompute its features from the audio, and compare them bit by bit.

    The exit code is 0 only if every bit agrees, or every difference is within **--tolerance**, and no clip is missing.
    """
    if everything and sample is not None:
        raise typer.BadParameter("--sample and --all exclude one another.")
    with startup.quiet():
        from audiopipe.verify import verify as run

    report = run(output, source, door=door, sample=sample, tolerance=tolerance)
    counts = report.feature_set.counts
    shards = len(report.feature_set.shards)
    console.print(f"shards: {shards}, with {counts['clips']} records; checksums and counts agree", highlight=False)
    table = Table("door", "clips", "values", "differing", "max", "mean", "worst clip")
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
        line = f"clips that failed in precompute, and so were not compared: {counts['failures']}"
        errors.print(line, highlight=False)
    if report.machine:
        errors.print(report.machine, markup=False, highlight=False, soft_wrap=True)
    if not report.ok:
        raise typer.Exit(1)
    within = tolerance is not None and any(row.differing for row in report.comparisons)
    console.print(f"Every difference is within {tolerance:g}." if within else "Every bit agrees.")


@app.command()
def inspect(output: OutputArgument) -> None:
    """Show what is in a feature set: its config, counts, metadata, shards and the machine that made it."""
    from audiopipe.featureset import FeatureSet

    feature_set = FeatureSet.open(output)
    table = _facts()
    table.add_row("feature set", output)
    table.add_row("fingerprint", feature_set.fingerprint)
    table.add_row("kernel version", str(feature_set.kernel_version))
    for name, value in feature_set.config.to_dict().items():
        table.add_row(name, repr(value) if name != "feature" else str(value))
    counts = feature_set.counts
    table.add_section()
    table.add_row("clips", f"{counts['clips']}, and {counts['failures']} failures")
    table.add_row("frames", f"{counts['frames']:,}")
    table.add_row("audio", _duration(counts["hours"] * 3600))
    if feature_set.segments:
        settings = (f"{name}={value}" for name, value in feature_set.segments.to_dict().items())
        table.add_row("segments", ", ".join(settings))
    table.add_row("shards", f"{len(feature_set.shards)}, {_size(feature_set)}")
    table.add_row("metadata", ", ".join(f"{name} ({kind})" for name, kind in feature_set.schema.items()) or "none")
    for machine in feature_set.machines:
        table.add_section()
        table.add_row("CPU family", machine["cpu_family"])
        table.add_row("oneDNN", "on" if machine["onednn"] else "off")
        for name, version in machine["versions"].items():
            table.add_row(name, version)
    console.print(table)


@configs_app.command("list")
def list_configs() -> None:
    """List all names with their configs and fingerprints."""
    from audiopipe import registry

    table = Table("name", "feature", "sample rate", "bins", "fingerprint")
    for name in registry.names():
        config = registry.get(name)
        row = (name, type(config).__name__, f"{config.sample_rate} Hz", str(config.n_bins), config.fingerprint[:12])
        table.add_row(*row)
    console.print(table)


@configs_app.command("show")
def show_config(config: Annotated[str, typer.Argument(metavar="CONFIG", help=CONFIG_HELP)]) -> None:
    """Print a config as JSON. Saved to a file, it is what --config takes."""
    import json

    from audiopipe import registry

    resolved = registry.resolve(config)
    errors.print(f"fingerprint {resolved.fingerprint}", highlight=False)
    console.print_json(json.dumps(resolved.to_dict(), sort_keys=True))


@configs_app.command("diff")
def diff_configs(
    left: Annotated[str, typer.Argument(metavar="LEFT", help=CONFIG_HELP)],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="The same.")],
) -> None:
    """Show the fields in which two configs differ. The exit code is 0 if they are the same feature, else 1."""
    from audiopipe import registry

    one, other = registry.resolve(left), registry.resolve(right)
    if one.fingerprint == other.fingerprint:
        console.print(f"The same feature, fingerprint {one.fingerprint}.", highlight=False)
        return
    console.print(one.diff(other), markup=False, highlight=False)
    raise typer.Exit(1)


@app.command()
def plot(
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="An audio file.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The picture to write, for example feature.png.")],
    config: Annotated[str, typer.Option(help=CONFIG_HELP)] = "speech-mel-80",
) -> None:
    """Draw the feature of an audio file over time and frequency."""
    with startup.quiet():
        from audiopipe import Transform
    from audiopipe.plotting import plot_feature

    transform = Transform(config)
    feature = transform.compute(transform.read(clip))
    plot_feature(feature, transform.config, image, title=f"{os.path.basename(clip)}: {config}")
    console.print(f"{image}: feature of shape {feature.shape}", highlight=False)


def main(commands: typer.Typer = app) -> None:
    """Run a command line. Errors of audiopipe end it with exit code 1 and their message, without a traceback.

    Args:
        commands: The command line.
    """
    try:
        commands()
    except AudiopipeError as error:
        errors.print(f"[bold red]{type(error).__name__}[/]:", end=" ")
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


def _progress() -> Any:
    """A context that shows a progress bar and yields the function that moves it."""
    import contextlib

    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    @contextlib.contextmanager
    def shown():
        columns = (TextColumn("clips"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=errors)
        task = bar.add_task("clips", total=None)

        def report(done: int, total: int) -> None:
            bar.start()  # with the first report, so that an error before the work starts stands alone
            bar.update(task, completed=done, total=total)

        try:
            yield report
        finally:
            bar.stop()

    return shown()


def _facts() -> Table:
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 3600:.2f} h"


def _size(feature_set: Any) -> str:
    size = float(sum(shard["bytes"] for shard in feature_set.shards))
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"

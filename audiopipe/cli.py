"""The command line. Heavy libraries are imported within the commands, so that `--help` answers at once."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from audiopipe import startup
from audiopipe.errors import AudiopipeError, StalledError, TooManyFailuresError

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
TOO_MANY_FAILURES = 3  # exit codes
INTERRUPTED = 130
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
    "epilog": "Options that are not listed here go to Apache Beam, for example **--runner=DataflowRunner**.",
}


@app.command(**PRECOMPUTE_SETTINGS)
def precompute(
    context: typer.Context,
    source: InputArgument,
    output: OutputArgument,
    config: Annotated[str, typer.Option(help=CONFIG_HELP)],
    num_shards: Annotated[
        int | None, typer.Option(help="Number of shards.", show_default="a 64th of the output each, 1 to 128 MB")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes on this machine, one TensorFlow thread each; 1 works within this process.",
            show_default="1 for less than 8 hours of audio, else one a processor",
        ),
    ] = None,
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"],
        typer.Option(help="How features are stored; only float32 keeps every bit."),
    ] = "float32",
    segment_seconds: Annotated[
        float | None, typer.Option(help="Cut recordings into clips of this length.", show_default="whole recordings")
    ] = None,
    segment_hop: Annotated[
        float | None, typer.Option(help="Seconds between the starts of segments.", show_default="their length")
    ] = None,
    segment_last: Annotated[
        Literal["drop", "pad", "keep"] | None,
        typer.Option(help="What becomes of an incomplete last segment.", show_default="drop"),
    ] = None,
    max_failure_ratio: Annotated[
        float, typer.Option(help="End with exit code 3 when more of the clips fail; looked at after 100 clips.", min=0)
    ] = 0.05,
    retry_failures: Annotated[
        bool, typer.Option("--retry-failures", help="Try the clips again that failed, and only those.")
    ] = False,
    stall_timeout: Annotated[float, typer.Option(help="End when no shard was finished for so many seconds.")] = 1800.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the feature set that is in OUTPUT.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop there.")] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Print events as lines of JSON to standard output, and nothing else.")
    ] = False,
) -> None:
    """Compute the features of all clips of INPUT and write them to OUTPUT as a feature set.

    OUTPUT gets TFRecord shards, **failures.jsonl** with a line for each clip that could not be read, and last
    **dataset.json**. A bad file never stops the job: the exit code is 0 also where some clips failed. Whatever stops
    it, the same command goes on from there and ends with the same bytes.
    """
    import time

    if segment_seconds is None and (segment_hop is not None or segment_last is not None):
        raise typer.BadParameter("--segment-hop and --segment-last need --segment-seconds.")
    with startup.quiet():
        from audiopipe import beam, job, progress
        from audiopipe.segments import Segments

    segments = None
    if segment_seconds is not None:
        segments = Segments(seconds=segment_seconds, hop=segment_hop, last=segment_last or "drop")
    what: dict[str, Any] = {"num_shards": num_shards, "segments": segments, "dtype": dtype}
    reporter = progress.reporter(errors, log_json)
    if dry_run:
        reporter.planned(**job.facts(beam.estimate(source, config, **what)), done_before=0)
        return
    started = time.perf_counter()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as for Ctrl-C
    try:
        feature_set = beam.precompute(
            source,
            output,
            config,
            **what,
            workers=workers,
            overwrite=overwrite,
            retry_failures=retry_failures,
            max_failure_ratio=max_failure_ratio,
            stall_timeout=stall_timeout,
            beam_options=context.args,
            reporter=reporter,
        )
    except KeyboardInterrupt:
        errors.print(f"Stopped. {job.AGAIN}", highlight=False)
        _exit(INTERRUPTED)
    _show_finished(feature_set, output, time.perf_counter() - started, reporter, log_json)


def _show_finished(feature_set: Any, output: str, seconds: float, reporter: Any, log_json: bool) -> None:
    counts = feature_set.counts
    size = sum(shard["bytes"] for shard in feature_set.shards)
    reporter.finished(
        {**counts, "output": output, "fingerprint": feature_set.fingerprint, "bytes": size, "seconds": seconds}
    )
    if log_json:
        return
    table = _facts()
    table.add_row("feature set", output)
    table.add_row("config", f"{type(feature_set.config).__name__} {feature_set.fingerprint[:12]}")
    table.add_row("clips", str(counts["clips"]))
    table.add_row("failures", f"{counts['failures']}" + (" (see failures.jsonl)" if counts["failures"] else ""))
    table.add_row("audio", _duration(counts["hours"] * 3600))
    table.add_row("size", _size(feature_set))
    if feature_set.dtype != "float32":
        table.add_row("stored as", f"{feature_set.dtype}, off by at most {feature_set.max_error:g}")
    table.add_row("time", f"{seconds:.1f} s")
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
    door: Annotated[Literal["tfdata", "hf", "both"], typer.Option(help="What to recompute with.")] = "both",
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
    if report.feature_set.dtype != "float32":
        line = f"features are stored as {report.feature_set.dtype}, and what was computed was rounded to that"
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
        table.add_row("instruction sets", machine.get("instruction_sets", "not recorded"))
        table.add_row("oneDNN", "on" if machine["onednn"] else "off")
        table.add_row("oneDNN held to", machine.get("onednn_max_isa", "not recorded"))
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
    """Run a command line. Errors of audiopipe end it with their message, without a traceback.

    The exit code is 1, 3 if too many clips failed, and 130 for Ctrl-C.

    Args:
        commands: The command line.
    """
    try:
        commands()
    except AudiopipeError as error:
        errors.print(f"[bold red]{type(error).__name__}[/]:", end=" ")
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        if isinstance(error, StalledError):
            _exit(1)
        sys.exit(TOO_MANY_FAILURES if isinstance(error, TooManyFailuresError) else 1)


def _exit(code: int) -> NoReturn:
    """End now: a thread that hangs in a file would keep a normal exit waiting."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


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

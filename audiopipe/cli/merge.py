"""The command `audiopipe merge`."""

import time
from typing import Annotated

import typer

from audiopipe import wording
from audiopipe.cli.precompute import INTERRUPTED
from audiopipe.cli.shared_arguments import ImportOption, OutputArgument
from audiopipe.cli.terminal import add_ends, audio_duration, console, errors, exit_now, facts_table
from audiopipe.runtime import stopping


def merge(
    sets: Annotated[
        list[str],
        typer.Argument(metavar="SET", help="Folders of feature sets, local or remote.", show_default=False),
    ],
    output: OutputArgument,
    prefix: Annotated[
        list[str],
        typer.Option(
            help="Text to put before the ids of a set. Give one for each SET, in the same order.", show_default=False
        ),
    ] = [],  # noqa: B006 (typer copies it)
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the feature set in OUTPUT.")] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Print only events to standard output, as one JSON object per line.")
    ] = False,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Join feature sets of one feature in a new one.

    The merge copies records and computes nothing. All sets must have one fingerprint, one dtype and different ids.
    If the merge is interrupted, the same command resumes it.
    """
    from audiopipe.precompute import merging, progress

    reporter = progress.reporter(errors, log_json)
    started = time.perf_counter()
    try:
        with stopping.interrupted_by_sigterm():
            merged = merging.merge(sets, output, prefix or None, overwrite=overwrite, reporter=reporter)
    except KeyboardInterrupt:
        errors.print(f"Stopped. {progress.AGAIN}", highlight=False)
        exit_now(INTERRUPTED)
    seconds, size = time.perf_counter() - started, sum(shard["bytes"] for shard in merged.shards)
    facts = {"output": output, "fingerprint": merged.fingerprint, "bytes": size, "seconds": seconds}
    reporter.finished({**merged.counts, **facts})
    if log_json:
        return
    table = facts_table()
    table.add_row("feature set", output)
    table.add_row("config", f"{type(merged.config).__name__} {merged.fingerprint[:12]}")
    table.add_row("merged", str(len(sets)))
    for name in ("clips", "failures", "remarks"):
        table.add_row(name, str(merged.counts[name]))
    add_ends(table, merged.counts)
    table.add_row("audio", audio_duration(merged.counts["hours"] * 3600))
    table.add_row("size", wording.size(size))
    table.add_row("shards", str(len(merged.shards)))
    table.add_row("time", f"{seconds:.1f} s")
    console.print(table)

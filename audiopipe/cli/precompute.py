"""The command `audiopipe precompute`."""

import os
import sys
import time
from typing import Annotated, Any, Literal

import typer

from audiopipe import wording
from audiopipe.cli.shared_arguments import ConfigOption, ImportOption, InputArgument, OutputArgument, inputs_and_output
from audiopipe.cli.terminal import add_ends, audio_duration, console, errors, exit_now, facts_table, print_fact
from audiopipe.feature_sets.file_names import DATASET_FILE
from audiopipe.runtime import stopping

SETTINGS: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "epilog": "Options that are not listed here are passed to Apache Beam, for example **--runner=DataflowRunner**.",
}

SHOWN_FAILURES = 5
INTERRUPTED = 130  # exit code


def precompute(
    context: typer.Context,
    sources: InputArgument,
    output: OutputArgument,
    config: ConfigOption,
    parts: Annotated[
        int | None,
        typer.Option(
            help="Write OUTPUT in this many parts, each a feature set in a folder of its own. OUTPUT opens as one set. "
            "Take one part for every 10 million clips or 3 TB. Default: as OUTPUT is, or none.",
            show_default=False,
        ),
    ] = None,
    num_shards: Annotated[
        int | None,
        typer.Option(
            help="Number of shards, of each part if there are parts. Default: 64, but 1 to 128 MB each.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Number of processes on this machine, with one TensorFlow thread each. With 1, this process computes. "
            "Default: one per hour of audio, up to the number of processors.",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"],
        typer.Option(help="Dtype of the stored features. Only float32 keeps every bit."),
    ] = "float32",
    segment_seconds: Annotated[
        float | None,
        typer.Option(
            help="Cut recordings into segments of this length in seconds. Default: whole recordings.",
            show_default=False,
        ),
    ] = None,
    segment_hop: Annotated[
        float | None,
        typer.Option(
            help="Seconds between the starts of segments. Default: the length of a segment.", show_default=False
        ),
    ] = None,
    segment_last: Annotated[
        Literal["drop", "pad", "keep"] | None,
        typer.Option(help="What to do with an incomplete last segment. Default: drop.", show_default=False),
    ] = None,
    path_column: Annotated[
        str | None,
        typer.Option(
            help="Column of the manifest that contains the path of the audio. Default: path, file_name, "
            "audio_filepath, file, filename, wav or audio_path.",
            show_default=False,
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            help="Column of the manifest that contains the ids. Default: id, or the path.", show_default=False
        ),
    ] = None,
    class_column: Annotated[
        list[str],
        typer.Option(
            help="Store this text column as integers, with its values as class names. Can be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 (typer copies it)
    label_from_folder: Annotated[
        bool,
        typer.Option("--label-from-folder", help="Add a column **label** with the name of the folder of each clip."),
    ] = False,
    accept_truncated: Annotated[
        bool,
        typer.Option(
            "--accept-truncated",
            help="Read damaged and truncated recordings up to the fault, with a remark. By default, they are failures "
            "unless less than 1 % and less than 1 s is missing.",
        ),
    ] = False,
    max_failure_ratio: Annotated[
        float,
        typer.Option(
            help="Stop with exit code 3 if a larger share of all clips fails. Checked after 100 clips.", min=0
        ),
    ] = 0.05,
    retry_failures: Annotated[bool, typer.Option("--retry-failures", help="Retry only the clips that failed.")] = False,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Bring the feature set in OUTPUT up to date with INPUT: compute new and changed clips, leave out "
            "clips that are gone, and correct metadata. All other features are kept, and their audio is not read.",
        ),
    ] = False,
    keep_old: Annotated[
        float,
        typer.Option(
            help="Keep the files of a replaced feature set for this many days, because others may still read them.",
            min=0,
        ),
    ] = 7.0,
    stall_timeout: Annotated[float, typer.Option(help="Stop if no shard is finished for this many seconds.")] = 1800.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the feature set in OUTPUT.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show the plan, and with **--update** the changes, without writing anything."),
    ] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Print only events to standard output, as one JSON object per line.")
    ] = False,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Compute the features of all clips of INPUT and write them to OUTPUT as a feature set.

    If the job is interrupted, the same command resumes it and writes the same bytes. If INPUT has changed since,
    **--update** brings OUTPUT up to date.

    OUTPUT gets TFRecord shards, **failures.jsonl** with one line per failed clip, **remarks.jsonl** with faults that
    did not prevent reading, and finally **dataset.json**. A bad file does not stop the job: the exit code is 0 even if
    some clips failed. Until **dataset.json** is replaced, readers see the complete old feature set. With **--parts**,
    OUTPUT gets a folder with these files for each part, and a **dataset.json** that names the parts.
    """
    if segment_seconds is None and (segment_hop is not None or segment_last is not None):
        raise typer.BadParameter("--segment-hop and --segment-last need --segment-seconds.")
    sources, output, flags = inputs_and_output([*sources, output, *context.args])
    if not (dry_run or flags or workers == 1) and _has_work(output, overwrite):
        from audiopipe.precompute import launching

        context.with_resource(launching.ahead())
    from audiopipe import beam
    from audiopipe.inputs import SeveralInputs
    from audiopipe.precompute import job, parted_output, progress
    from audiopipe.transform import Segments

    source = SeveralInputs(sources)
    segments = None
    if segment_seconds is not None:
        segments = Segments(seconds=segment_seconds, hop=segment_hop, last=segment_last or "drop")
    what: dict[str, Any] = {
        "parts": parts,
        "num_shards": num_shards,
        "segments": segments,
        "dtype": dtype,
        "path_column": path_column,
        "id_column": id_column,
        "class_columns": class_column,
        "label_from_folder": label_from_folder,
        "accept_truncated": accept_truncated,
        "update": update,
    }
    reporter = progress.reporter(errors, log_json)
    if dry_run:
        what["parts"] = parted_output.n_parts_of_job(output, parts, overwrite=overwrite)
        estimated = beam.estimate(source, config, output=output if update and not overwrite else None, **what)
        is_up_to_date = estimated.n_clips > 0 and estimated.n_shards == 0
        reporter.planned(**job.facts(estimated), done_before=estimated.n_clips if is_up_to_date else 0)
        return
    started = time.perf_counter()
    try:
        with stopping.interrupted_by_sigterm():
            feature_set = beam.precompute(
                source,
                output,
                config,
                **what,
                workers=workers,
                overwrite=overwrite,
                retry_failures=retry_failures,
                keep_old=keep_old,
                max_failure_ratio=max_failure_ratio,
                stall_timeout=stall_timeout,
                beam_options=flags,
                reporter=reporter,
            )
    except KeyboardInterrupt:
        errors.print(f"Stopped. {progress.AGAIN}", highlight=False)
        context.close()
        exit_now(INTERRUPTED)
    _show_finished(feature_set, output, time.perf_counter() - started, reporter, log_json)


def _has_work(output: str, overwrite: bool) -> bool:
    """Returns whether the job will probably need worker processes, judged without reading its input."""
    return "tensorflow" not in sys.modules and (overwrite or not os.path.exists(os.path.join(output, DATASET_FILE)))


def _show_finished(feature_set: Any, output: str, seconds: float, reporter: Any, log_json: bool) -> None:
    from audiopipe.feature_sets import message_kinds
    from audiopipe.feature_sets.description import FAILURES_FILE, REMARKS_FILE
    from audiopipe.precompute import progress

    counts = feature_set.counts
    size = sum(shard["bytes"] for shard in feature_set.shards)
    reporter.finished(
        {**counts, "output": output, "fingerprint": feature_set.fingerprint, "bytes": size, "seconds": seconds}
    )
    if log_json:
        return
    table = facts_table()
    table.add_row("feature set", output)
    if feature_set.whole:
        table.add_row("parts", str(len(feature_set.descriptions)))
    table.add_row("config", f"{type(feature_set.config).__name__} {feature_set.fingerprint[:12]}")
    table.add_row("clips", str(counts["clips"]))
    if reporter.changes is not None:
        table.add_row("changes", progress.changes_line(reporter.changes))
    folder = "part-*/" if feature_set.whole else ""
    table.add_row("failures", f"{counts['failures']}" + (f" (see {folder}{FAILURES_FILE})" * bool(counts["failures"])))
    table.add_row("remarks", f"{counts['remarks']}" + (f" (see {folder}{REMARKS_FILE})" * bool(counts["remarks"])))
    if "short_recordings" in counts:
        table.add_row("recordings shorter than a segment", str(counts["short_recordings"]))
    add_ends(table, counts)
    table.add_row("audio", audio_duration(counts["hours"] * 3600))
    table.add_row("size", wording.size(size))
    if feature_set.dtype != "float32":
        table.add_row("stored as", f"{feature_set.dtype}, off by at most {feature_set.max_error:g}")
    table.add_row("time", f"{seconds:.1f} s")
    console.print(table)
    failures = feature_set.failures()
    for failure in failures[:SHOWN_FAILURES]:
        print_fact(f"failed: {failure['id']} ({failure['stage']}): {failure['error']}")
    if len(failures) > SHOWN_FAILURES:
        errors.print(f"and {len(failures) - SHOWN_FAILURES} more", highlight=False)
    for remark, count in message_kinds.most_common(remark["remark"] for remark in feature_set.remarks()):
        print_fact(f"remark: {count} x {remark}")
    for note in (note for note in feature_set.notes if note not in reporter.notes):  # those were shown with the plan
        print_fact(f"note: {note}")

"""Manifests: files that list clips, in the forms of audiopipe and of other projects."""

from collections.abc import Container, Iterator
from itertools import chain
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs import clip_rows, delimited, json_rows, kaldi, lhotse, ljspeech, text_files
from audiopipe.inputs.clip_rows import PATH_COLUMNS
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.storage import files

CLIPS = "clips"  # folder of the audio of Common Voice
COMMON_VOICE_COLUMNS = {"client_id", "path"}


def scan_manifest(path: str, options: InputOptions, report: ScanReport, prefix: str = "") -> Iterator[Source]:
    """Lists the clips of a manifest in its own order.

    Args:
        path: A CSV, TSV, JSONL or JSON file, compressed with gzip or not, or `wav.scp`. Relative paths are relative to
            its folder.
        options: Options of the input.
        report: Gets what is remarkable about the manifest.
        prefix: What ids that are relative paths start with.

    Yields:
        A `Source` for each clip.

    Raises:
        InputError: If the file is malformed, or a clip has no path.
    """
    refuse_label(path, options)
    name = path.lower().removesuffix(".gz")
    folder = path[: path.rfind("/") + 1]
    if name.endswith(".scp"):
        _refuse_columns(path, options, "Kaldi's files have no columns")
        return kaldi.scan_kaldi(path, report)
    if name.endswith((".jsonl", ".json")):
        rows = json_rows.rows(path, lists=name.endswith(".json"))
        return _scan_json(rows, path, folder, options, report, prefix)
    return _scan_delimited(path, folder, options, report, prefix, tabs=name.endswith(".tsv"))


def has_paths(path: str, options: InputOptions) -> bool:
    """Returns whether a CSV or JSONL file that was found in a folder lists clips.

    Raises:
        InputError: If the file cannot be read.
    """
    if path.endswith(".jsonl"):
        row = next((row for _, row in json_rows.rows(path, lists=False)), None)
        return isinstance(row, dict) and (_has_path(row, options) or lhotse.matches(row))
    return _is_ljspeech(path, options) or _has_path(delimited.columns(path, _wanted(options), tabs=False), options)


def refuse_label(path: str, options: InputOptions) -> None:
    """Raises an error if the options ask for labels from folders, which a manifest or a table does not have."""
    if options.label_from_folder:
        raise InputError(
            f"label_from_folder needs a folder or a glob of audio files. Received: {path!r}, which lists clips itself. "
            "Leave out the option, and put the label in a column."
        )


def _refuse_columns(path: str, options: InputOptions, reason: str) -> None:
    if options.path_column is not None or options.id_column is not None:
        raise InputError(f"path_column and id_column cannot be used with {path!r}: {reason}. Leave them out.")


def _scan_json(
    rows: Iterator[tuple[int, Any]], path: str, folder: str, options: InputOptions, report: ScanReport, prefix: str
) -> Iterator[Source]:
    first = next(rows, None)
    if first is None:
        return
    rows = chain([first], rows)
    if lhotse.matches(first[1]) and not _has_path(first[1], options):
        _refuse_columns(path, options, "lhotse's manifests have fixed fields")
        yield from lhotse.clips(rows, path, folder, report)
    else:
        yield from clip_rows.clips(rows, path, folder, options, report, prefix)


def _scan_delimited(
    path: str, folder: str, options: InputOptions, report: ScanReport, prefix: str, *, tabs: bool
) -> Iterator[Source]:
    if _is_ljspeech(path, options):
        report.say("read as the metadata of LJSpeech")
        yield from clip_rows.clips(ljspeech.rows(path), path, folder, options, report, prefix)
        return
    columns = delimited.columns(path, _wanted(options), tabs=tabs)
    if columns:
        clip_rows.path_column(columns, options, f"{path!r}, line 1")
    rows = delimited.rows(path, _wanted(options), tabs=tabs)
    clips_folder = files.join(folder, CLIPS)
    if set(columns) >= COMMON_VOICE_COLUMNS and options.path_column in (None, "path") and files.is_folder(clips_folder):
        first = next(rows, None)
        if first is None:
            return
        rows = chain([first], rows)
        if "/" not in first[1].get("path", "/"):
            report.say(f"the paths are relative to {CLIPS}/, as in Common Voice")
            folder = clips_folder
    yield from clip_rows.clips(rows, path, folder, options, report, prefix)


def _is_ljspeech(path: str, options: InputOptions) -> bool:
    if not path.endswith("/metadata.csv") or options.path_column is not None or options.id_column is not None:
        return False
    first = next((line for line in text_files.lines(path) if line.strip()), "")
    return ljspeech.matches(path, first) and not _has_path(delimited.columns(path, PATH_COLUMNS, tabs=False), options)


def _has_path(columns: Container[str], options: InputOptions) -> bool:
    return any(name in columns for name in _wanted(options))


def _wanted(options: InputOptions) -> tuple[str, ...]:
    return PATH_COLUMNS if options.path_column is None else (options.path_column,)

"""Scanning of a folder, glob, manifest, Parquet file or saved dataset for clips.

Scanning gives the id, the location and the metadata of each clip. It decodes no audio.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs import duplicate_ids, extensions, folder_contents, folders, manifests, several, table_clips
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport, left_out_line
from audiopipe.inputs.several import SeveralInputs
from audiopipe.inputs.source import Source
from audiopipe.storage import files


def scan(
    source: str | os.PathLike[str] | SeveralInputs | Iterable[str | os.PathLike[str]],
    options: InputOptions | None = None,
    report: ScanReport | None = None,
) -> Iterator[Source]:
    """Lists the clips of an input in a fixed order.

    Args:
        source: One of these, local or remote. A path may start with `~`.

            - A folder. It has its audio files, sorted by path, or the clips of the manifest, the Parquet files or the
              saved dataset in it.
            - A glob of audio files, Parquet files or manifests.
            - A manifest: CSV, TSV, JSONL or JSON, compressed with gzip or not, or `wav.scp` of Kaldi.
            - A Parquet file, or a folder that `datasets.Dataset.save_to_disk` wrote.
            - An audio file.
            - `SeveralInputs`, or a list of paths. The ids of a list of audio files are the paths as given.
        options: Options that decide what is read. None uses the defaults.
        report: Gets what the scan notices beside the clips. It is complete after the last clip.

    Yields:
        A `Source` for each clip. Its id is the path of the file below the folder, or below the part of a glob before
        the first wildcard, with forward slashes. In a manifest or a table, the id is the column `id`. Without that
        column, it is the path as written in a manifest, followed by `#start-end` for a stretch of a recording. In a
        table it is the number of the row, in one of several tables `file:row`. Relative paths in a manifest are
        relative to its folder.

    Raises:
        InputError: If the input is no path, does not exist, has no clips or is malformed, or if two clips have the same
            id. Duplicate ids are reported only after the last clip, because the ids are not kept in memory.
        MissingDependencyError: If a package that the input needs is not installed.
    """
    given: str | SeveralInputs | list[str]
    if isinstance(source, SeveralInputs):
        given = source if len(source.paths) != 1 else os.fspath(source.paths[0])
    else:
        given = _paths(source)
    options, report = options or InputOptions(), ScanReport() if report is None else report
    ids = duplicate_ids.Names()
    for clip in _found(given, options, report):
        ids.add(clip.id)
        yield clip
    twice = ids.repeated(lambda: (clip.id for clip in _found(given, options, ScanReport())))
    if twice is not None:
        raise InputError(
            f"Two clips of {_name(given)} have the id {twice!r}. Every clip must have its own id. Give the manifest "
            "an id column with unique values, or choose one with id_column."
        )
    if not len(ids):
        raise _no_clips(given, report)


def _paths(source: Any) -> str | list[str]:
    """Returns the path, or a list of the paths, because the search for duplicate ids may repeat the scan."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    paths = list(source) if isinstance(source, Iterable) else [source]
    wrong = [path for path in paths if not isinstance(path, (str, os.PathLike))]
    if wrong:
        raise InputError(
            "The input must be a folder, a glob, a manifest, a table, an audio file or a list of paths. Received: "
            f"{wrong[0]!r}. To give clips metadata, write a manifest, such as a JSON Lines file."
        )
    return [os.fspath(path) for path in paths]


def _name(given: Any) -> str:
    return repr(given) if isinstance(given, str) else "the list of paths"


def _no_clips(given: Any, report: ScanReport) -> InputError:
    if isinstance(given, str) and extensions.kind(given) in ("manifest", "table"):
        if several.is_glob(given) and not files.exists(_expanded(given)):
            return InputError(f"No file that matches {given!r} lists a clip. Expected manifests or Parquet files.")
        return InputError(
            f"The {extensions.kind(given)} {given!r} lists no clips. Expected a column or key 'path', and one line or "
            "row per clip."
        )
    message = (
        f"There is no audio in {_name(given)}. Expected files that end in {', '.join(extensions.AUDIO_EXTENSIONS)}, "
        "or Parquet files."
    )
    if report.left_out:
        message += f" Received: {left_out_line(report.left_out)}. {extensions.CONVERT}"
    return InputError(message)


def _found(given: str | SeveralInputs | list[str], options: InputOptions, report: ScanReport) -> Iterator[Source]:
    if isinstance(given, str):
        return _scan_one(_expanded(given), options, report)
    if isinstance(given, list) and all(
        extensions.is_audio(path) or extensions.looks_like_audio(path) for path in given
    ):
        return (folders.clip(_expanded(path), path, options) for path in given)
    paths = given.paths if isinstance(given, SeveralInputs) else given
    strict = not isinstance(given, SeveralInputs)
    return several.scan_several(
        [_expanded(os.fspath(path)) for path in paths], options, report, _scan_one, strict=strict
    )


def _expanded(path: str) -> str:
    if not path:
        raise InputError("An input must be a path. Received: ''.")
    return files.absolute(os.path.expanduser(path))


def _scan_one(path: str, options: InputOptions, report: ScanReport, prefix: str = "") -> Iterator[Source]:
    if not files.exists(path):
        if several.is_glob(path):
            return several.scan_glob(path, options, report, prefix)
        raise extensions.missing(path)
    if files.is_folder(path):
        return folder_contents.scan_folder(path, options, report, prefix)
    kind = extensions.kind(path)
    if kind == "manifest":
        return manifests.scan_manifest(path, options, report, prefix)
    if kind == "table":
        manifests.refuse_label(path, options)
        return table_clips.scan_table(path, options, report)
    if kind == "audio":
        return iter([folders.clip(path, prefix + os.path.basename(path), options)])
    raise extensions.refusal(path)

"""Scanning of a folder, glob, manifest, Parquet file or saved dataset for clips.

Scanning gives the id, the location and the metadata of each clip. It decodes no audio.
"""

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from audiopipe.errors import InputError
from audiopipe.inputs import duplicate_ids, folders, manifests, metadata_types, tables
from audiopipe.inputs.extensions import AUDIO_EXTENSIONS
from audiopipe.inputs.manifests import MANIFEST_EXTENSIONS
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.storage import files


def scan(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    options: InputOptions | None = None,
    report: ScanReport | None = None,
) -> Iterator[Source]:
    """Lists the clips of an input in a fixed order.

    Args:
        source: A folder (searched for audio files, sorted by path), a glob, a CSV or JSONL manifest (in its own order),
            a Parquet file or a folder that `datasets.Dataset.save_to_disk` wrote (in the order of the rows), one audio
            file, or a list of paths. All may be remote.
        options: Options that decide what is read. None uses the defaults.
        report: Gets what the scan notices beside the clips. It is complete after the last clip.

    Yields:
        A `Source` for each clip. In a folder, its id is the path relative to the folder, with forward slashes. For a
        glob, the id is relative to the part before the first wildcard. In a manifest, a Parquet file and a saved
        dataset, the id is the column `id`. Without that column, it is the path as written in a manifest, and the row
        number in the other two. Relative paths in a manifest are relative to its folder.

    Raises:
        InputError: If the input does not exist, has no clips or is malformed, or if two clips have the same id.
            Duplicate ids are reported only after the last clip, because the ids are not kept in memory.
    """
    if isinstance(source, (str, os.PathLike)):
        listed: str | list[str] = files.absolute(os.fspath(source))
    else:
        # A list, because the search for duplicate ids may repeat the scan.
        listed = [os.fspath(path) for path in source]
    options, report = options or InputOptions(), report or ScanReport()
    ids = duplicate_ids.Names()
    for clip in _found(listed, options, report):
        ids.add(clip.id)
        yield clip
    twice = ids.repeated(lambda: (clip.id for clip in _found(listed, options, ScanReport())))
    if twice is not None:
        raise InputError(
            f"Two clips of {_name(source)} have the id {twice!r}. Every clip must have its own id. Give the manifest "
            f"an id column with unique values."
        )
    if not len(ids) and _name(source).rstrip("'").lower().endswith(MANIFEST_EXTENSIONS):
        raise InputError(
            f"The manifest {_name(source)} lists no clips. Expected a column or key 'path', and one line per clip."
        )
    if not len(ids):
        raise InputError(
            f"There is no audio in {_name(source)}. Expected files that end in {', '.join(AUDIO_EXTENSIONS)}."
        )


def _name(source: Any) -> str:
    return repr(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "the list of paths"


def _found(listed: str | list[str], options: InputOptions, report: ScanReport) -> Iterator[Source]:
    if isinstance(listed, str):
        return _scan_one(listed, options, report)
    return (folders.source_of(files.absolute(path), path, options) for path in listed)


def _refuse_splits(path: str) -> NoReturn:
    """Raises the error for a folder that holds several splits of a dataset."""
    name = files.join(path, "dataset_dict.json")
    try:
        splits = json.loads(files.read_bytes(name))["splits"]
        listed, first = ", ".join(splits), files.join(path, splits[0])
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{name!r} must name the splits of a DatasetDict. Received: {type(error).__name__}: {error}. Save the "
            "dataset again, or pass the folder of a split."
        ) from error
    raise InputError(f"{path!r} contains a DatasetDict with the splits {listed}. Choose one, for example: {first}.")


def _scan_one(path: str, options: InputOptions, report: ScanReport) -> Iterator[Source]:
    lower = path.lower()
    if not files.exists(path):
        if folders.is_glob(path):
            return folders.scan_glob(path, options, report)
        raise InputError(f"There is no {path!r}. Expected a folder, a glob, a manifest or an audio file.")
    if files.is_folder(path):
        if files.exists(files.join(path, "dataset_dict.json")):
            _refuse_splits(path)
        if files.exists(files.join(path, "state.json")) and files.exists(files.join(path, "dataset_info.json")):
            return _scan_rows(path)
        return folders.scan_folder(path, options, report)
    if lower.endswith(MANIFEST_EXTENSIONS):
        return manifests.scan_manifest(path)
    if lower.endswith(".parquet"):
        return _scan_rows(path)
    return iter([folders.source_of(path, os.path.basename(path), options)])


def _scan_rows(path: str) -> Iterator[Source]:
    table = tables.open_table(path)
    for number, row in enumerate(table.metadata()):
        identity = row.pop("id", None)
        metadata_types.check_columns(row, f"{path!r}, row {number}")
        name = f"{number:08d}" if identity is None else str(identity)
        if not name:
            raise InputError(f"{path!r}, row {number}: the id is empty. Give the clip an id, or leave out the column.")
        yield Source(id=name, path=path, row=number, metadata=row)

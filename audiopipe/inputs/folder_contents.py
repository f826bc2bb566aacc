"""Folders as inputs: what a folder contains decides how it is read."""

import json
import posixpath
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NoReturn

import numpy as np

from audiopipe.errors import InputError
from audiopipe.inputs import extensions, folders, kaldi, manifests, table_clips
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.storage import files
from audiopipe.wording import count_of

# Names that audiofolder of `datasets` gives to the manifest of a folder.
METADATA_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
SHOWN = 5  # manifests that an error names


class _Contents:
    """What a folder contains, apart from hidden files."""

    def __init__(self, folder: str):
        self.folder = folder
        # Remote storage is listed as a whole and at once. A local folder is read again instead of kept in memory.
        self._names = list(folders.visible(folder)) if files.is_remote(folder) else None
        self.n_audio = 0
        self.tables: list[str] = []
        self.metadata: list[str] = []
        self.n_other_manifests = 0
        self.other_manifests: list[str] = []  # the first ones
        for name in self.names():
            kind = extensions.kind(name)
            if kind == "audio":
                self.n_audio += 1
            elif posixpath.basename(name) in METADATA_FILES or name == kaldi.PATHS:
                self.metadata.append(name)
            elif kind == "manifest":
                self.n_other_manifests += 1
                if len(self.other_manifests) < SHOWN:
                    self.other_manifests.append(name)
            if kind == "table":
                self.tables.append(name)

    def names(self) -> Iterable[str]:
        """Returns the files of the folder as sorted relative paths."""
        return folders.visible(self.folder) if self._names is None else self._names


def scan_folder(folder: str, options: InputOptions, report: ScanReport, prefix: str = "") -> Iterator[Source]:
    """Lists the clips of a folder.

    A folder that `datasets.Dataset.save_to_disk` wrote has the rows of the dataset. A folder with `wav.scp`, or with
    `metadata.csv`, `metadata.jsonl` or `metadata.parquet` beside audio, has the clips of that manifest; metadata files
    in its subfolders count if it has none itself. Otherwise the clips are its audio files or, without any, the rows of
    its Parquet files.

    Args:
        folder: The folder.
        options: Options of the input.
        report: Gets how the folder is read, and what is left out.
        prefix: What ids that are relative paths start with.

    Yields:
        A `Source` for each clip.

    Raises:
        InputError: If the folder cannot be read, or its content is ambiguous.
    """
    if files.exists(files.join(folder, "dataset_dict.json")):
        _refuse_splits(folder)
    if files.exists(files.join(folder, "state.json")) and files.exists(files.join(folder, "dataset_info.json")):
        manifests.refuse_label(folder, options)
        return table_clips.scan_table(folder, options, report, prefix.rstrip("/") or None)
    contents = _Contents(folder)
    chosen = _metadata_files(contents, options, report)
    if chosen:
        return _scan_metadata(contents, chosen, options, report, prefix)
    if contents.n_audio or not contents.tables:
        if not contents.n_audio and contents.other_manifests:
            _refuse_manifests(contents)
        paths = ((files.join(folder, name), prefix + name) for name in contents.names())
        return folders.audio_clips(paths, options, report)
    manifests.refuse_label(folder, options)
    tables = [(files.join(folder, name), prefix + name) for name in contents.tables]
    return table_clips.scan_tables(tables, options, report)


def _metadata_files(contents: _Contents, options: InputOptions, report: ScanReport) -> list[str]:
    """Returns the manifests by which a folder is read: one of its own, or those of its subfolders."""
    folder = contents.folder
    found = [name for name in contents.metadata if contents.n_audio or not name.endswith(extensions.TABLE)]
    own = [name for name in found if "/" not in name]
    chosen, without = [], []
    for name in own or found:
        path = files.join(folder, name)
        if name.endswith((extensions.TABLE, kaldi.PATHS)) or manifests.has_paths(path, options):
            chosen.append(name)
        elif options.path_column is not None or not contents.n_audio:
            chosen.append(name)  # reading it raises the error that names its columns
        else:
            without.append(name)
    if without:
        report.say(f"no column of paths in {_listed(without)}, not read")
    numbers = Counter(map(posixpath.dirname, chosen))
    ambiguous = [name for name in chosen if numbers[posixpath.dirname(name)] > 1]
    if ambiguous:
        raise InputError(
            f"{folder!r} has more than one manifest in a folder. Received: {_listed(ambiguous)}. Pass the one to read, "
            "or a glob of the audio files."
        )
    return chosen


def _scan_metadata(
    contents: _Contents, names: list[str], options: InputOptions, report: ScanReport, prefix: str
) -> Iterator[Source]:
    hashes = array("q")
    shown = f"the manifest {names[0]}" if len(names) == 1 else f"{count_of(len(names), 'manifest')}: {_listed(names)}"
    report.say(f"read as {shown}")
    for name in names:
        path, below = files.join(contents.folder, name), prefix + name[: name.rfind("/") + 1]
        if name.endswith(extensions.TABLE):
            manifests.refuse_label(path, options)
            clips = table_clips.scan_table(
                path, options, report, None if names == [name] and not prefix else prefix + name
            )
        else:
            clips = manifests.scan_manifest(path, options, report, below)
        for clip in clips:
            if contents.n_audio and clip.row is None:
                hashes.append(_path_hash(clip.path))
            yield clip
    if contents.n_audio:
        _report_unlisted(contents, hashes, report)


def _report_unlisted(contents: _Contents, hashes: array, report: ScanReport) -> None:
    """Counts the audio files of a folder that no clip refers to, with 8 bytes of memory for each clip."""
    listed = np.frombuffer(hashes, np.int64)
    present: defaultdict[str | None, array] = defaultdict(lambda: array("q"))
    for name in contents.names():
        is_audio = extensions.is_audio(name)
        left_out = None if is_audio else extensions.looks_like_audio(name)
        if is_audio or left_out:
            present[left_out].append(_path_hash(files.join(contents.folder, name)))
    for extension, found in present.items():
        unlisted = int(np.isin(np.frombuffer(found, np.int64), listed, invert=True).sum())
        if extension is None:
            report.count("audio file", "of the folder not in the manifest, not read", unlisted)
        elif unlisted:
            report.left_out[extension] += unlisted


def _path_hash(path: str) -> int:
    return hash(posixpath.normpath(path))


def _refuse_manifests(contents: _Contents) -> NoReturn:
    found = _listed(contents.other_manifests, contents.n_other_manifests)
    raise InputError(
        f"There is no audio in {contents.folder!r}. Expected files that end in "
        f"{', '.join(extensions.AUDIO_EXTENSIONS)}. It has manifests: {found}. To read one, pass its path."
    )


def _listed(names: list[str], number: int | None = None) -> str:
    number = len(names) if number is None else number
    return ", ".join(names[:SHOWN]) + (f" and {number - SHOWN:,} more" if number > SHOWN else "")


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

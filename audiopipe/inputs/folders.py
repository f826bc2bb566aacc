"""Folders and globs of audio files."""

import posixpath
from collections.abc import Iterator

from audiopipe.errors import InputError
from audiopipe.inputs import extensions
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.storage import files

WILDCARDS = "*?["


def scan_folder(folder: str, options: InputOptions, report: ScanReport) -> Iterator[Source]:
    """Lists the audio files of a folder and its subfolders, sorted by path.

    Args:
        folder: The folder.
        options: Options of the input.
        report: Gets the files that were left out.

    Yields:
        A `Source` for each file. Its id is the path relative to the folder, with forward slashes.

    Raises:
        InputError: If a folder cannot be listed.
    """
    try:
        for below in files.walk(folder):
            if not any(part.startswith(".") for part in below.split("/")):
                path = files.join(folder, below)
                if _is_taken(path, report):
                    yield source_of(path, below, options)
    except OSError as error:
        raise InputError(f"Could not list {error.filename or folder!r}: {error.strerror or error}.") from error


def scan_glob(pattern: str, options: InputOptions, report: ScanReport) -> Iterator[Source]:
    """Lists the audio files that match a pattern, sorted by path.

    Args:
        pattern: A path with `*`, `?`, `[...]` or `**`.
        options: Options of the input.
        report: Gets the files that were left out.

    Yields:
        A `Source` for each file. Its id is the path relative to the part of the pattern before the first wildcard.
    """
    base = glob_base(pattern)
    for path in files.glob(pattern):
        if _is_taken(path, report):
            yield source_of(path, path.removeprefix(base), options)


def source_of(path: str, name: str, options: InputOptions) -> Source:
    """Returns the clip of an audio file, with its label if the options ask for one."""
    if not options.label_from_folder:
        return Source(id=name, path=path)
    return Source(id=name, path=path, metadata={"label": posixpath.basename(posixpath.dirname(path))})


def is_glob(path: str) -> bool:
    """Returns whether a path has wildcards."""
    return any(character in path for character in WILDCARDS)


def glob_base(pattern: str) -> str:
    """Returns the folder of a pattern before its first wildcard, with a slash at the end."""
    first = min(pattern.index(character) for character in WILDCARDS if character in pattern)
    return pattern[: pattern.rindex("/", 0, first) + 1]


def _is_taken(path: str, report: ScanReport) -> bool:
    if extensions.is_audio(path):
        return True
    extension = extensions.looks_like_audio(path)
    if extension is not None:
        report.left_out[extension] += 1
    return False

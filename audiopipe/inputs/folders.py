"""Audio files of a folder or among others, and their labels."""

import posixpath
from collections.abc import Iterable, Iterator

from audiopipe.errors import InputError
from audiopipe.inputs import extensions
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.storage import files


def visible(folder: str) -> Iterator[str]:
    """Yields the files of a folder and its subfolders as sorted relative paths, without hidden ones.

    Raises:
        InputError: If a folder cannot be listed.
    """
    try:
        for below in files.walk(folder):
            if not below.startswith(".") and "/." not in below:
                yield below
    except OSError as error:
        raise InputError(f"Could not list {error.filename or folder!r}: {error.strerror or error}.") from error


def audio_clips(paths: Iterable[tuple[str, str]], options: InputOptions, report: ScanReport) -> Iterator[Source]:
    """Lists the audio files among some files.

    Args:
        paths: The files, and the name of each within the input.
        options: Options of the input.
        report: Gets the files that were left out.

    Yields:
        A `Source` for each audio file. Its id is its name within the input.

    Raises:
        InputError: If the options name columns, which audio files do not have.
    """
    for path, name in paths:
        if extensions.is_audio(path):
            yield clip(path, name, options)
        elif extensions.kind(path) == "table":
            report.count("Parquet file", "beside the audio files, not read")
        elif extension := extensions.looks_like_audio(path):
            report.left_out[extension] += 1


def clip(path: str, name: str, options: InputOptions) -> Source:
    """Returns the clip of an audio file, with its label if the options ask for one.

    Raises:
        InputError: If the options name columns, which audio files do not have.
    """
    if options.path_column is not None or options.id_column is not None:
        raise InputError(
            f"path_column and id_column need a manifest or a table. Received: {path!r}, an audio file. Leave them out."
        )
    if not options.label_from_folder:
        return Source(id=name, path=path)
    return Source(id=name, path=path, metadata={"label": posixpath.basename(posixpath.dirname(path))})

"""Rows of a manifest or a table as clips: which columns are the path, the id, the stretch and the metadata."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs import metadata_types
from audiopipe.inputs.locations import located
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.inputs.stretches import StretchColumns

# The column `path` of audiopipe's own manifests comes first. The others are those of audiofolder (file_name), NeMo
# (audio_filepath), SpeechBrain (wav) and of published lists of files. A manifest has at most one of them.
PATH_COLUMNS = ("path", "file_name", "audio_filepath", "file", "filename", "wav", "audio_path", "audio")


def path_column(columns: Collection[str], options: InputOptions, where: str) -> str:
    """Returns the column that contains the paths of the audio.

    Args:
        columns: The names of all columns.
        options: Options of the input. They may name the column.
        where: Location of the names, for the error message.

    Raises:
        InputError: If there is no such column, or there are several and none is named `path`.
    """
    wanted = (options.path_column,) if options.path_column is not None else PATH_COLUMNS
    found = [name for name in wanted if name in columns]
    if not found:
        raise InputError(
            f"{where}: every clip needs a path. Received the columns {', '.join(map(repr, columns))}. Expected a "
            f"column or key {' or '.join(map(repr, wanted))}. Name the right one with path_column."
        )
    if len(found) > 1 and found[0] != "path":
        raise InputError(
            f"{where}: expected one column of paths. Received: {', '.join(map(repr, found))}. Choose one with "
            "path_column."
        )
    return found[0]


def id_of(row: dict[str, Any], options: InputOptions, where: str) -> str | None:
    """Removes the id from a row and returns it. It is None if the row has none.

    Raises:
        InputError: If the id is empty, is not text or a number, or the options name a column that the row lacks.
    """
    column = options.id_column or "id"
    identity = row.pop(column, None)
    if options.id_column is not None:
        if identity is None:
            raise InputError(
                f"{where}: every clip needs an id in the column {column!r}. Received the columns "
                f"{', '.join(map(repr, row))}. Fix the row, or name another column with id_column."
            )
        if "id" in row:
            raise InputError(
                f"{where}: the records of a feature set have a field 'id', so no other column can have that name. "
                f"Received: a column 'id' beside the ids in {column!r}. Rename the column 'id'."
            )
    if identity is None:
        return None
    if isinstance(identity, (list, dict, bytes)):
        raise InputError(f"{where}: an id must be text or a number. Received: {identity!r}.")
    if not str(identity):
        raise InputError(f"{where}: the id is empty. Give the clip an id, or leave out the column.")
    metadata_types.check_text(str(identity), where)
    return str(identity)


def clips(
    rows: Iterable[tuple[int, Any]], path: str, folder: str, options: InputOptions, report: ScanReport, prefix: str = ""
) -> Iterator[Source]:
    """Converts the rows of a manifest to clips.

    Args:
        rows: The number of the line of each row, and the row.
        path: The manifest, for error messages.
        folder: Folder that relative paths are relative to.
        options: Options of the input.
        report: Gets what the columns mean.
        prefix: What ids that are relative paths start with.

    Yields:
        A `Source` for each row. Its id is the id of the row, else the path as written. If the row names a stretch of
        the recording and has no id, the start and the end follow the path.

    Raises:
        InputError: If a row has no path or is malformed.
    """
    column = None
    stretches = StretchColumns(report)
    for number, row in rows:
        where = f"{path!r}, line {number}"
        if not isinstance(row, dict):
            raise InputError(
                f"{where}: every clip needs a path. Received: {row!r}. Expected a JSON object with a key "
                f"{options.path_column or 'path'!r}."
            )
        column = column or path_column(row, options, where)
        audio = row.get(column)
        if not audio or not isinstance(audio, str):
            raise InputError(
                f"{where}: every clip needs a path. Received: {row!r}. Expected text in the column or key {column!r}."
            )
        del row[column]
        identity = id_of(row, options, where)
        stretch = stretches.of(row, where)
        metadata_types.check_text(audio, where)
        metadata_types.check_columns(row, where)
        place = located(audio, folder)
        if identity is None:
            is_relative = place is not audio and not audio.startswith("~/")
            identity = prefix + audio if is_relative else audio
            identity = identity if stretch is None else f"{identity}#{stretch.name}"
        if stretch is None:
            yield Source(identity, place, metadata=row)
        else:
            yield Source(identity, place, metadata=row, start=stretch.start, end=stretch.end)

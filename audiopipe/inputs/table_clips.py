"""Clips of one or several Parquet files, or of a saved dataset."""

from collections.abc import Iterable, Iterator

from audiopipe.inputs import clip_rows, metadata_types, tables
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.inputs.stretches import StretchColumns
from audiopipe.wording import count_of


def scan_table(path: str, options: InputOptions, report: ScanReport, name: str | None = None) -> Iterator[Source]:
    """Lists the rows of a table.

    Args:
        path: A Parquet file, or a folder that `datasets.Dataset.save_to_disk` wrote.
        options: Options of the input.
        report: Gets what the columns mean.
        name: Name of the table among several. None if it is the only one.

    Yields:
        A `Source` for each row, with the path of the audio file that the row names. If the row has neither a path nor
        audio, reading the clip raises an error. The id is that of the row. Without one it is the number of the row with
        8 digits, or `name:row` if the table has a name.

    Raises:
        InputError: If the table cannot be read, or a row is malformed.
        MissingDependencyError: If a package that reads the table is not installed.
    """
    stretches = StretchColumns(report)
    table = tables.open_table(path, options.path_column)
    for number, (audio, row) in enumerate(table.rows()):
        where = f"{path!r}, row {number}"
        identity = clip_rows.id_of(row, options, where)
        stretch = stretches.of(row, where)
        metadata_types.check_columns(row, where)
        if identity is None:
            identity = f"{number:08d}" if name is None else f"{name}:{number}"
        start, end = (stretch.start, stretch.end) if stretch else (None, None)
        if audio is None:
            yield Source(identity, path, number, row, start, end, options.path_column)
        else:
            yield Source(identity, audio, None, row, start, end, options.path_column, table=path)
    if table.other_audio:
        report.say(f"the audio in {', '.join(map(repr, table.other_audio))} is not read")


def scan_tables(paths: Iterable[tuple[str, str]], options: InputOptions, report: ScanReport) -> Iterator[Source]:
    """Lists the rows of several Parquet files.

    Args:
        paths: The files, and the name that each has in the ids of its rows.
        options: Options of the input.
        report: Gets the number of files.

    Yields:
        The clips of `scan_table`, file after file.

    Raises:
        InputError: If a file cannot be read, or a row is malformed.
        MissingDependencyError: If `pyarrow` is not installed.
    """
    count = 0
    for path, name in paths:
        yield from scan_table(path, options, report, name)
        count += 1
    report.say(f"read as {count_of(count, 'Parquet file')}")

"""Rows of CSV and TSV files."""

import contextlib
import csv
from collections.abc import Collection, Iterator
from itertools import chain

from audiopipe.errors import InputError
from audiopipe.inputs import text_files

DELIMITERS = (",", ";", "\t", "|")


def rows(path: str, path_columns: Collection[str], *, tabs: bool) -> Iterator[tuple[int, dict[str, str]]]:
    """Reads a CSV or TSV file whose first line has the names of the columns.

    The delimiter is a comma, a semicolon, a tab or a pipe: the first one with which the first line has a column of
    paths. Values may be quoted as in CSV. In a file with tabs, quotes are ordinary characters unless the names of the
    columns are quoted too, because transcripts such as those of Common Voice have single quotes in them.

    Args:
        path: The file.
        path_columns: Names that a column of paths may have.
        tabs: Whether to try the tab first.

    Yields:
        The number of the last line of each row, and the row as text by column. Rows without any text are skipped.

    Raises:
        InputError: If the file is malformed.
    """
    records = _opened(path, path_columns, tabs=tabs)
    header = next(records, (0, []))[1]
    names = [name for name in header if name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path!r} must have each column once. Received twice: {', '.join(twice)}.")
    last = max((place for place, name in enumerate(header) if name), default=-1) + 1
    for number, values in records:
        if not "".join(values).strip():
            continue
        if len(values) < last or any(values[last:]):
            if len(values) > last and len(values) <= len(header):
                raise _unnamed(path, number, values[last:])
            raise InputError(
                f"{path!r}, line {number}: expected {last} values, as in the first line. Received: {values!r}."
            )
        row = dict(zip(header[:last], values, strict=False))
        if "" in row:
            unnamed = [value for name, value in zip(header[:last], values, strict=False) if not name and value]
            if unnamed:
                raise _unnamed(path, number, unnamed)
            del row[""]
        yield number, row


def columns(path: str, path_columns: Collection[str], *, tabs: bool) -> list[str]:
    """Returns the names of the columns of a CSV or TSV file. A file without text has none."""
    return next(_opened(path, path_columns, tabs=tabs), (0, []))[1]


def delimiter_of(first: str, path_columns: Collection[str], *, tabs: bool) -> str:
    """Returns the delimiter of a file with the given first line."""
    candidates = sorted(DELIMITERS, key="\t".__ne__) if tabs else list(DELIMITERS)
    for delimiter in candidates:
        with contextlib.suppress(csv.Error):  # reading the file raises it again, with the line
            if not set(path_columns).isdisjoint(next(csv.reader([first], delimiter=delimiter))):
                return delimiter
    return max(candidates, key=first.count)


def _opened(path: str, path_columns: Collection[str], *, tabs: bool) -> Iterator[tuple[int, list[str]]]:
    """Yields the numbers and the values of all lines. Columns without a name have the name ``""`` in the first."""
    text = text_files.lines(path)
    blank: list[str] = []
    first = ""
    for first in text:
        if first.strip():
            break
        blank.append("\n")
    else:
        return
    delimiter = delimiter_of(first, path_columns, tabs=tabs)
    quoted = delimiter != "\t" or first.startswith('"')
    records = _records(path, chain(blank, [first], text), delimiter, quoted=quoted)
    number, header = next(records)
    yield number, [name if name.strip() else "" for name in header]
    yield from records


def _records(path: str, text: Iterator[str], delimiter: str, *, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    if not quoted:
        for number, line in enumerate(text, start=1):
            content = line.rstrip("\r\n")
            if content:
                yield number, content.split(delimiter)
        return
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        begin = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path!r}, line {begin}: the row that starts here cannot be read as a row of a manifest: {error}. "
                "Expected CSV in which a quote within a quoted value is doubled, and values of at most 131,072 "
                "characters."
            ) from error
        if values:
            yield reader.line_num, values


def _unnamed(path: str, number: int, values: list[str]) -> InputError:
    return InputError(
        f"{path!r}, line {number}: the first line has an empty name for a column that has values. Received: "
        f"{values!r}. Name the column, or remove it. pandas writes such a column unless it gets index=False."
    )

"""Rows of JSON files: one object per line, or a list of objects."""

import json
import re
from collections.abc import Iterator
from typing import Any

from audiopipe import checks
from audiopipe.errors import ArgumentError, InputError
from audiopipe.inputs import text_files

MAX_OBJECT = 1 << 26  # characters of one object of a list; a longer one is probably not closed
LONGEST_TOKEN = 16  # characters of a literal or an escape that the end of what was read may have cut
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(object_pairs_hook=checks.unique_keys)


def rows(path: str, *, lists: bool) -> Iterator[tuple[int, Any]]:
    """Reads a JSON file row by row. Memory holds one row at a time, and a few thousand characters.

    Args:
        path: The file.
        lists: Whether the file may be a list. Otherwise each line must be an object.

    Yields:
        The number of the line in which each row ends, and the row.

    Raises:
        InputError: If the file is malformed.
    """
    if lists:
        items = _List(path)
        if items.next_character() == "[":
            yield from items.rows()
            return
    expected = "a list of JSON objects, or one JSON object per line" if lists else "a JSON object"
    for number, line in enumerate(text_files.lines(path), start=1):
        if line.strip():
            try:
                row = json.loads(line, object_pairs_hook=checks.unique_keys)
            except (ValueError, RecursionError) as error:
                where = f"{path!r}, line {number}"
                raise InputError(f"{where}: expected {expected}. Received: {line.strip()[:60]!r} ({error}).") from error
            yield number, row


class _List:
    """The items of a list, parsed as they are read."""

    def __init__(self, path: str):
        self._path = path
        self._chunks = text_files.chunks(path)
        self._held = ""
        self._place = 0
        self._line = 1

    def rows(self) -> Iterator[tuple[int, Any]]:
        self._move(self._place + 1)
        if self.next_character() == "]":
            self._move(self._place + 1)
        else:
            while True:
                row = self._row()
                yield self._line, row
                separator = self.next_character()
                self._move(self._place + 1)
                if separator == "]":
                    break
                if separator != ",":
                    raise self._malformed("',' or ']'", self._place - 1)
                self.next_character()
        if self.next_character():
            raise self._malformed("nothing behind the list", self._place)

    def next_character(self) -> str:
        """Moves to the next character that is no space, and returns it. At the end, it is empty."""
        while True:
            self._move(_SPACE.match(self._held, self._place).end())  # type: ignore[union-attr]
            if self._place < len(self._held):
                return self._held[self._place]
            self._held, self._place = next(self._chunks, ""), 0
            if not self._held:
                return ""

    def _row(self) -> Any:
        while True:
            try:
                row, end = _DECODER.raw_decode(self._held, self._place)
            except RecursionError as error:
                raise self._malformed("a JSON object", self._place, "it is nested too deeply") from error
            except ArgumentError as error:
                raise self._malformed("a JSON object", self._place, str(error)) from error
            except ValueError as error:
                if not self._may_continue(error) or not self._read_as_much_again():
                    raise self._malformed("a JSON object", self._place, str(error)) from error
            else:
                self._move(end)
                return row

    def _may_continue(self, error: ValueError) -> bool:
        """Returns whether an error may come from the end of what was read so far."""
        if not isinstance(error, json.JSONDecodeError) or len(self._held) - self._place > MAX_OBJECT:
            return False
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._held) - LONGEST_TOKEN

    def _read_as_much_again(self) -> bool:
        # Doubling keeps the time linear, because each attempt parses the object from its start.
        parts, missing = [self._held[self._place :]], len(self._held) - self._place
        while missing > 0 and (chunk := next(self._chunks, "")):
            parts.append(chunk)
            missing -= len(chunk)
        self._held, self._place = "".join(parts), 0
        return len(parts) > 1

    def _move(self, place: int) -> None:
        self._line += self._held.count("\n", self._place, place)
        self._place = place

    def _malformed(self, expected: str, place: int, reason: str = "") -> InputError:
        received = self._held[place : place + 60].strip()
        return InputError(
            f"{self._path!r}, line {self._line}: expected {expected}. Received: "
            f"{repr(received) if received else 'the end of the file'}{f' ({reason})' if reason else ''}."
        )

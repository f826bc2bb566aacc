"""Lines of text files that list clips, compressed with gzip or not, local or remote."""

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import TextIO

from audiopipe.errors import InputError
from audiopipe.storage import files

GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
CHUNK = 1 << 16  # characters
AS_UTF8 = "Save it as UTF-8, for example: iconv -f {} -t utf-8 old > new."


def lines(path: str) -> Iterator[str]:
    r"""Yields the lines of a text file with their line ends, which are `\n`, `\r\n` or `\r`.

    A byte order mark is removed. A file whose content is compressed with gzip is decompressed, whatever its name.

    Raises:
        InputError: If the file cannot be read, or a line is not UTF-8 or has NUL characters.
    """
    number = 0
    try:
        with _opened(path) as text:
            for line in text:
                number += 1
                if "\0" in line or not line.isascii():
                    _check(line, path, number)
                yield line
    except (EOFError, zlib.error, OSError) as error:
        raise _unreadable(path, number + 1, error) from error


def chunks(path: str) -> Iterator[str]:
    """Yields the content of a text file in pieces of at most 65,536 characters, like `lines` for files of one line.

    Raises:
        InputError: If the file cannot be read, or a piece is not UTF-8 or has NUL characters.
    """
    number = 1
    try:
        with _opened(path) as text:
            while chunk := text.read(CHUNK):
                if "\0" in chunk or not chunk.isascii():
                    _check(chunk, path, number)
                number += chunk.count("\n")
                yield chunk
    except (EOFError, zlib.error, OSError) as error:
        raise _unreadable(path, number, error) from error


@contextlib.contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    with contextlib.ExitStack() as stack:
        binary = stack.enter_context(files.open_binary(path))
        head = binary.read(2)
        binary.seek(0)
        if head == GZIP_MAGIC:
            binary = stack.enter_context(gzip.GzipFile(fileobj=binary))  # type: ignore[assignment]
        elif head in UTF16_MARKS:
            raise InputError(f"{path!r} must be UTF-8 text. Received: UTF-16. {AS_UTF8.format('utf-16')}")
        # Bytes that are not UTF-8 become surrogates, so that the error can name the line.
        yield stack.enter_context(io.TextIOWrapper(binary, "utf-8-sig", errors="surrogateescape", newline=""))


def _unreadable(path: str, number: int, error: Exception) -> InputError:
    where = f"{path!r}, line {number}" if number > 1 else repr(path)
    return InputError(f"{where}: the file cannot be read: {error}. Expected a whole file of text.")


def _check(text: str, path: str, number: int) -> None:
    if "\0" in text:
        number += text.count("\n", 0, text.index("\0"))
        raise InputError(
            f"{path!r}, line {number}: expected UTF-8 text. Received: a NUL character, as in binary files and in "
            f"UTF-16. {AS_UTF8.format('utf-16')}"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        number += text.count("\n", 0, error.start)
        around = text[max(error.start - 30, 0) : error.start + 10].encode("utf-8", "surrogateescape")
        raise InputError(
            f"{path!r}, line {number}: expected UTF-8 text. Received: the byte "
            f"0x{ord(text[error.start]) - 0xDC00:02x} in {around!r}, which is not utf-8. {AS_UTF8.format('latin1')}"
        ) from error

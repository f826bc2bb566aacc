"""TFRecord files without TensorFlow.

A file is a sequence of frames. A frame is the length of a record as 8 little-endian bytes, the checksum of the length,
the record, and the checksum of the record, see
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details. A checksum is a masked CRC-32C.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import google_crc32c
import numpy as np

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.storage import files

HEADER_BYTES = 12  # before a record: its length and the checksum of the length
FOOTER_BYTES = 4  # after a record: its checksum
FRAME_BYTES = HEADER_BYTES + FOOTER_BYTES
MAX_RECORD_BYTES = 2**31 - 1  # limit of a protobuf message, https://protobuf.dev/programming-guides/proto-limits/

_MASK = 0xA282EAD8


class Writer:
    """Writes records to a local TFRecord file. A context manager.

    Args:
        path: Path of the file, which is replaced.

    Attributes:
        size: Number of bytes written so far.

    Raises:
        OSError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     with Writer(file.name) as writer:
        ...         offsets = [writer.write(b"first"), writer.write(b"second")]
        ...     records = list(read(file))
        >>> offsets, records
        ([0, 21], [(0, b'first'), (21, b'second')])
    """

    def __init__(self, path: str):
        self.size = 0
        self._digest = hashlib.sha256()
        self._file = open(path, "wb")  # noqa: SIM115 (`__exit__`)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, record: bytes) -> int:
        """Writes a record and returns the offset of its frame in the file."""
        offset = self.size
        length = struct.pack("<Q", len(record))
        # The record on its own, because it can have gigabytes.
        for piece in (length + _checksum(length), record, _checksum(record)):
            self._file.write(piece)
            self._digest.update(piece)
        self.size += FRAME_BYTES + len(record)
        return offset

    def facts(self, name: str) -> dict[str, Any]:
        """Returns the facts about the file, as `set_files.facts_of` does, without reading what was written.

        Args:
            name: Name that the file will have.
        """
        return {"name": name, "bytes": self.size, "sha256": self._digest.hexdigest()}


def read(file: BinaryIO, name: str = "the file") -> Iterator[tuple[int, bytes]]:
    """Reads the records of a file and checks both checksums of each.

    Args:
        file: The file, at the start of a frame. It must be seekable.
        name: Path of the file, for error messages.

    Yields:
        The offset of each frame, and the record.

    Raises:
        CorruptFeatureSetError: If the file is damaged. No more is read than the file has, whatever a length says.
    """
    offset = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(offset)
    while offset < end:
        where = f"The record at byte {offset} of {name!r}"
        length = length_of(file.read(HEADER_BYTES), where)
        size = FRAME_BYTES + length
        if size > end - offset:
            raise damaged(where, f"its frame should have {size} bytes, and the file ends after {end - offset}")
        record = file.read(length)
        _check(record, file.read(FOOTER_BYTES), where)
        yield offset, record
        offset += size


def parse(frame: bytes, where: str = "The record") -> bytes:
    """Checks both checksums of a frame and returns its record.

    Args:
        frame: The frame, from its first to its last byte.
        where: What an error message calls the record.

    Raises:
        CorruptFeatureSetError: If the frame is damaged, or not exactly one frame.
    """
    check_length(frame[:HEADER_BYTES], len(frame), where)
    record = frame[HEADER_BYTES:-FOOTER_BYTES]
    _check(record, frame[-FOOTER_BYTES:], where)
    return record


def check(frame: np.ndarray, where: str) -> None:
    """Checks both checksums of a frame without a copy of its record.

    Args:
        frame: The frame, from its first to its last byte: uint8 `[bytes]`, consecutive in memory.
        where: What an error message calls the record.

    Raises:
        CorruptFeatureSetError: If the frame is damaged, or not exactly one frame.
    """
    check_length(frame[:HEADER_BYTES].tobytes(), len(frame), where)
    _check(frame[HEADER_BYTES:-FOOTER_BYTES], frame[-FOOTER_BYTES:].tobytes(), where)


def check_length(header: bytes, size: int, where: str) -> None:
    """Checks that a frame has a size.

    Args:
        header: The header of the frame.
        size: Size of the frame in bytes.
        where: What an error message calls the record.

    Raises:
        CorruptFeatureSetError: If the header is damaged or says something else.
    """
    length = length_of(header, where)
    if length + FRAME_BYTES != size:
        raise damaged(where, f"its frame must have {FRAME_BYTES + length} bytes. Received: {size}")


def count(path: str) -> int:
    """Counts the records of a file, local or remote, without reading them.

    Raises:
        CorruptFeatureSetError: If a length is damaged.
    """
    found = 0
    with files.open_binary(path) as file:
        while header := file.read(HEADER_BYTES):
            length = length_of(header, f"Record {found} of {path!r}")
            file.seek(length + FOOTER_BYTES, os.SEEK_CUR)
            found += 1
    return found


def damaged(where: str, fault: str) -> CorruptFeatureSetError:
    """Returns the error for a record with a fault."""
    return CorruptFeatureSetError(f"{where} is damaged: {fault}. Copy the file again, or recompute the feature set.")


def length_of(header: bytes, where: str) -> int:
    """Returns the length of the record after a header."""
    if len(header) < HEADER_BYTES:
        raise damaged(where, "the file ends within it")
    if _checksum(header[:8]) != header[8:]:
        raise damaged(where, "its length does not have its checksum")
    length = int.from_bytes(header[:8], "little")
    if length > MAX_RECORD_BYTES:
        raise damaged(where, f"a record has at most {MAX_RECORD_BYTES} bytes. Received: a length of {length}")
    return length


def _check(record: bytes | np.ndarray, footer: bytes, where: str) -> None:
    if _checksum(record) != footer:
        raise damaged(where, "its bytes do not have their checksum")


def _checksum(data: bytes | np.ndarray) -> bytes:
    if google_crc32c.implementation != "c":
        data = bytes(data)  # the slow implementation in Python takes no arrays
    value = google_crc32c.value(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + _MASK) & 0xFFFFFFFF)

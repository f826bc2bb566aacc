"""Reading of ranges of bytes from local and remote files."""

import collections
import io
import os
import threading

import numpy as np

from audiopipe.storage import files
from audiopipe.storage.per_process import PerProcess

OPEN_FILES = 128


class RangedFolder:
    """Folder whose files are read in ranges of bytes.

    The descriptors of local files belong to one process and stay open, up to `OPEN_FILES` of them. A remote file is
    read by one request per range, without a copy of the file. Threads can read at once.

    Args:
        folder: Local or remote folder.
    """

    def __init__(self, folder: str):
        self._folder = folder
        self._descriptors = PerProcess(_Descriptors)

    def read(self, name: str, *ranges: tuple[int, int]) -> list[bytes]:
        """Reads ranges of a file.

        Args:
            name: Name of the file in the folder.
            *ranges: Offset and size of each range in bytes.

        Returns:
            The bytes of each range. They are fewer than its size if the file ends within the range.

        Raises:
            OSError: If the file cannot be read. A `FileNotFoundError` if there is none.
        """
        path = files.join(self._folder, name)
        if not files.is_remote(path):
            descriptor = self._descriptors().get(path)
            return [descriptor.read(offset, size) for offset, size in ranges]
        filesystem, inner = files.filesystem(path)
        if len(ranges) == 1:
            [(offset, size)] = ranges
            return [_cut(filesystem.cat_file(inner, start=offset, end=offset + size), path, size)]
        starts, ends = [offset for offset, _ in ranges], [sum(item) for item in ranges]
        blocks = filesystem.cat_ranges([inner] * len(ranges), starts, ends, on_error="raise")
        return [_cut(block, path, size) for block, (_, size) in zip(blocks, ranges, strict=True)]

    def read_into(self, *ranges: tuple[str, int, np.ndarray]) -> list[int]:
        """Reads ranges of several files into arrays. Ranges of remote files are requested all at once.

        Args:
            *ranges: Name of a file, offset of a range in it, and an array, uint8 `[bytes]`, that gets the bytes.

        Returns:
            For each range, how many bytes of it the file has.

        Raises:
            OSError: If a file cannot be read. A `FileNotFoundError` if there is none.
        """
        paths = [files.join(self._folder, name) for name, _, _ in ranges]
        if not files.is_remote(self._folder):
            return [
                self._descriptors().get(path).read_into(offset, array)
                for path, (_, offset, array) in zip(paths, ranges, strict=True)
            ]
        filesystem, _ = files.filesystem(self._folder)
        starts, sizes = [offset for _, offset, _ in ranges], [len(array) for _, _, array in ranges]
        ends = [start + size for start, size in zip(starts, sizes, strict=True)]
        inner = [files.filesystem(path)[1] for path in paths]
        blocks = filesystem.cat_ranges(inner, starts, ends, on_error="raise")
        for block, path, (_, _, array) in zip(blocks, paths, ranges, strict=True):
            array[: len(block)] = np.frombuffer(_cut(block, path, len(array)), np.uint8)
        return [len(block) for block in blocks]

    def size(self, name: str) -> int:
        """Returns the size of a file in bytes.

        Raises:
            OSError: If the file cannot be accessed. A `FileNotFoundError` if there is none.
        """
        path = files.join(self._folder, name)
        if files.is_remote(path):
            return files.size(path)
        return self._descriptors().get(path).size

    def file(self, name: str, size: int) -> io.RawIOBase:
        """Returns a file that reads exactly the ranges that it is asked for.

        Args:
            name: Name of the file in the folder.
            size: Size of the file in bytes.
        """
        return _RangedFile(self, name, size)


class _RangedFile(io.RawIOBase):
    def __init__(self, folder: RangedFolder, name: str, size: int):
        self._folder = folder
        self._name = name
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer) -> int:
        size = max(0, min(len(buffer), self._size - self._position))
        data = self._folder.read(self._name, (self._position, size))[0] if size else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class _Descriptors:
    """Open descriptors of local files, by path. The one that was not used for the longest time is closed first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: collections.OrderedDict[str, _Descriptor] = collections.OrderedDict()

    def get(self, path: str) -> "_Descriptor":
        with self._lock:
            descriptor = self._open.get(path)
            if descriptor is None:
                descriptor = self._open[path] = _Descriptor(files.open_descriptor(path))
            self._open.move_to_end(path)
            if len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)
            return descriptor


class _Descriptor:
    """Descriptor that is closed once no thread uses it."""

    def __init__(self, number: int):
        self._number = number
        self.size = os.fstat(number).st_size

    def __del__(self) -> None:
        os.close(self._number)

    def read(self, offset: int, size: int) -> bytes:
        """Reads a range. No more memory is reserved than the file has bytes, however large the range is."""
        blocks, size = [], min(size, self.size - offset)
        while size > 0 and (block := os.pread(self._number, size, offset)):  # Linux reads at most 2 GB at once
            blocks.append(block)
            offset += len(block)
            size -= len(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def read_into(self, offset: int, array: np.ndarray) -> int:
        """Reads a range into an array. Returns how many bytes of it the file has."""
        buffer, found = array.data, 0
        while found < len(buffer) and (count := os.preadv(self._number, [buffer[found:]], offset + found)):
            found += count
        return found


def _cut(block: bytes, path: str, size: int) -> bytes:
    if len(block) > size:
        raise OSError(
            f"The server of {path!r} does not support requests of ranges: it sent {len(block)} bytes. Expected: {size}."
            " Copy the file to storage that supports them, or to a local disk."
        )
    return block

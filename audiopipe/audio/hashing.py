"""Digests of remote audio files, from the bytes that pass while they are decoded."""

import os
from typing import Any

from audiopipe.storage import digests

# So much may be read for the digest alone. fsspec asks storage for several megabytes at once, so most of it is there.
MORE_BYTES = 1 << 20
MORE_RATIO = 32  # or this fraction of a large file


class Hashed:
    """Seekable binary file that hashes its bytes as they are read.

    Decoders read a file nearly in order. They go back to its start, and skip chunks that they do not need. Bytes that
    were read before are not hashed again, and skipped bytes are read if they are few.

    Example:
        >>> import io
        >>> file = Hashed(io.BytesIO(b"RIFF, a chunk, samples"))
        >>> file.read(4), file.seek(15), file.read(7)
        (b'RIFF', 15, b'samples')
        >>> file.digest() == digests.of([b"RIFF, a chunk, samples"])
        True
    """

    def __init__(self, file: Any):
        self._file = file
        self._state = digests.Hasher()
        self._hashed = 0  # how many bytes from the start on

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a position, as `io.IOBase.seek` does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Returns the position."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes, as `io.RawIOBase.read` does."""
        position = self._file.tell()
        if 0 < position - self._hashed <= MORE_BYTES:
            self._hash_until(position)
        content = self._file.read(size)
        if position <= self._hashed < position + len(content):
            self._state.update(memoryview(content)[self._hashed - position :])
            self._hashed = position + len(content)
        return content

    def digest(self) -> bytes | None:
        """Returns the digest of the whole file, see `audiopipe.storage.digests`.

        Returns:
            16 bytes. None if so much was not read that reading it would cost much.
        """
        size = self._file.seek(0, os.SEEK_END)
        if size - self._hashed > max(MORE_BYTES, size // MORE_RATIO):
            return None
        self._hash_until(size)
        return self._state.digest() if self._hashed == size else None

    def _hash_until(self, end: int) -> None:
        """Reads and hashes the bytes that were skipped before a position, and returns to it."""
        self._file.seek(self._hashed)
        while self._hashed < end and (content := self._file.read(min(digests.BLOCK, end - self._hashed))):
            self._state.update(content)
            self._hashed += len(content)
        self._file.seek(end)

"""Opening of paths, bytes and open files for libsndfile.

This module finds the failures outside the decoder: files that cannot be opened, errors that libsndfile does not pass
on, and files that change while they are read.
"""

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from audiopipe.audio import containers
from audiopipe.errors import AudioError
from audiopipe.storage import files

AudioSource = str | os.PathLike[str] | bytes | BinaryIO


@dataclasses.dataclass(frozen=True)
class Opened:
    """Audio source that is open for reading.

    Attributes:
        handle: Argument for libsndfile: an open file, or the path of a local file as bytes.
        name: Name of the source in error messages.
        lacking: What is missing from the file according to its container, or None; see `audiopipe.audio.containers`.
        version: Text that changes when a local file is rewritten. None for other sources.
    """

    handle: Any
    name: str
    lacking: str | None
    version: str | None = None

    def size(self) -> int:
        """Returns the size of the source in bytes."""
        return os.path.getsize(self.handle) if isinstance(self.handle, bytes) else self.handle.seek(0, os.SEEK_END)

    def check(self) -> None:
        """Raises the error that occurred while libsndfile read an open file, if there was one.

        Raises:
            AudioError: If reading failed. Its stage is `read`. Interrupts are raised as they are.
        """
        error = self.handle.error if isinstance(self.handle, _Watched) else None
        if isinstance(error, Exception):
            raise _unreadable(self.name, error) from error
        if error is not None:
            raise error

    def check_unchanged(self) -> None:
        """Raises an error if a local file has changed since it was opened.

        Raises:
            AudioError: If the file has changed. Its stage is `read`.
        """
        if self.version is not None and self.version != _version(os.fsdecode(self.handle)):
            raise AudioError(f"{self.name} changed while it was read. Read it again.", stage="read")


@contextlib.contextmanager
def opened(source: AudioSource) -> Iterator[Opened]:
    """Opens a source and closes it at the end. A file that the caller has opened stays open.

    Args:
        source: A local or remote path, the bytes of an audio file, or an open binary file.

    Yields:
        The open source.

    Raises:
        AudioError: If the source cannot be opened. Its stage is `read`.
    """
    name = describe(source)
    with contextlib.ExitStack() as stack:
        try:
            ready = _open(source, name, stack)
        except (OSError, ValueError) as error:  # a ValueError means that no file can have such a path
            raise _unreadable(name, error) from error
        yield ready


def describe(source: AudioSource) -> str:
    """Returns the name of a source for error messages."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"{len(source)} bytes"
    if isinstance(source, (str, os.PathLike)):
        return repr(os.fspath(source))
    return "an open file"


def _open(source: AudioSource, name: str, stack: contextlib.ExitStack) -> Opened:
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = stack.enter_context(io.BytesIO(source))
        return Opened(_Watched(content), name, _lacking(content))
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        file = stack.enter_context(files.open_binary(path))
        if files.is_remote(path):
            return Opened(_Watched(file), name, _lacking(file))
        version, lacking = _version(path), _lacking(file)
        file.close()
        # Given a path, libsndfile reads without calling Python for every piece. The path is bytes because
        # python-soundfile encodes a str strictly, but a file name need not be UTF-8.
        return Opened(os.fsencode(path), name, lacking, version)
    if not hasattr(source, "read"):
        raise AudioError(
            f"Audio must be a path, bytes or an open binary file. Received: {type(source).__name__}.", stage="read"
        )
    return Opened(_Watched(source), name, _lacking(source))


def _lacking(file: Any) -> str | None:
    return containers.missing(file) if hasattr(file, "seekable") and file.seekable() else None


def _version(path: str) -> str:
    try:
        return files.version(path)
    except OSError as error:
        return str(error)


def _unreadable(name: str, error: Exception) -> AudioError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return AudioError(f"Could not read {name}: {reason.rstrip('.')}.", stage="read")


class _Watched:
    """Open file that records its errors and completes short reads.

    libsndfile treats a failed or short read as the end of the file, and does not report the error.
    """

    def __init__(self, file: Any):
        self.file = file
        self.error: BaseException | None = None

    def _do(self, name: str, *arguments: Any, instead: Any) -> Any:
        try:
            return getattr(self.file, name)(*arguments)
        except BaseException as error:  # including interrupts, which libsndfile would ignore
            self.error = self.error or error
            return instead

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence < 2 and offset + (self.tell() if whence else 0) < 0:
            return -1  # the offset comes from a damaged header; the file is readable
        return self._do("seek", offset, whence, instead=0)

    def tell(self) -> int:
        return self._do("tell", instead=0)

    def readinto(self, buffer: Any) -> int:
        # python-soundfile calls this first and falls back to `read` on an AttributeError, which would be slow for MP3:
        # libsndfile reads it four bytes at a time.
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def read(self, size: int) -> bytes:
        piece = self._do("read", size, instead=b"")
        if len(piece) == size:
            return piece
        pieces = [piece]
        while piece and (size := size - len(piece)):
            pieces.append(piece := self._do("read", size, instead=b""))
        return b"".join(pieces)

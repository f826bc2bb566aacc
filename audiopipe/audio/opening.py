"""A path, bytes or an open file -> what libsndfile reads from.

What fails outside of the decoder is found here: files that cannot be opened, errors that libsndfile does not pass on,
files that change while they are read.
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
    """A source that can be read.

    Attributes:
        handle: What libsndfile opens: an open file, or the path of a local one, as bytes.
        name: What errors call it.
        lacking: What the file lacks of what its container promises, or None; see `audiopipe.audio.containers`.
        version: What changes when a local file is written anew, None of other sources.
    """

    handle: Any
    name: str
    lacking: str | None
    version: str | None = None

    def size(self) -> int:
        """Bytes of the source."""
        return os.path.getsize(self.handle) if isinstance(self.handle, bytes) else self.handle.seek(0, os.SEEK_END)

    def check(self) -> None:
        """Raise the error that reading an open file has raised inside of libsndfile, if there is one.

        Raises:
            AudioError: Of the stage `read`.
        """
        error = self.handle.error if isinstance(self.handle, _Watched) else None
        if isinstance(error, Exception):
            raise _unreadable(self.name, error) from error
        if error is not None:
            raise error

    def check_unchanged(self) -> None:
        """Refuse a local file that is another one than when it was opened.

        Raises:
            AudioError: Of the stage `read`.
        """
        if self.version is not None and self.version != _version(os.fsdecode(self.handle)):
            raise AudioError(f"{self.name} was changed while it was read. Read it again.", stage="read")


@contextlib.contextmanager
def opened(source: AudioSource) -> Iterator[Opened]:
    """Open a source; what the caller has opened stays open at the end.

    Args:
        source: A path (also a remote one), the bytes of an audio file, or an open binary file.

    Yields:
        The source, open.

    Raises:
        AudioError: Of the stage `read`, if it cannot be opened.
    """
    name = describe(source)
    with contextlib.ExitStack() as stack:
        try:
            ready = _open(source, name, stack)
        except (OSError, ValueError) as error:  # a ValueError where no file can have such a path
            raise _unreadable(name, error) from error
        yield ready


def describe(source: AudioSource) -> str:
    """What errors call a source."""
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
        # libsndfile reads a path by itself, without coming back to Python for every piece. python-soundfile encodes a
        # str strictly, but a name need not be UTF-8.
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
    """An open file that keeps its errors, which get lost in libsndfile, and whose pieces are as long as asked for.

    libsndfile takes a failed or a short read for the end of the file.
    """

    def __init__(self, file: Any):
        self.file = file
        self.error: BaseException | None = None

    def _do(self, name: str, *arguments: Any, instead: Any) -> Any:
        try:
            return getattr(self.file, name)(*arguments)
        except BaseException as error:  # whatever it is, an interrupt as well, C would go on without it
            self.error = self.error or error
            return instead

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence < 2 and offset + (self.tell() if whence else 0) < 0:
            return -1  # where the sizes of a damaged header lead, which is no error of the file
        return self._do("seek", offset, whence, instead=0)

    def tell(self) -> int:
        return self._do("tell", instead=0)

    def readinto(self, buffer: Any) -> int:
        # python-soundfile tries this first, and of MP3 libsndfile asks for four bytes at a time.
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

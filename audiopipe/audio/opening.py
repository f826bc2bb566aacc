"""Opening of paths, bytes and open files, for looking at their bytes and for libsndfile.

This module finds the failures outside the decoder: files that cannot be opened, errors that libsndfile does not pass
on, and files that change while they are read.
"""

import contextlib
import dataclasses
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from audiopipe.audio.hashing import Hashed
from audiopipe.audio.splicing import Spliced
from audiopipe.errors import AudioError
from audiopipe.storage import digests, files
from audiopipe.wording import noun_of

HEAD = 4096  # read at once, because it holds nearly all headers


@dataclasses.dataclass
class Opened:
    """Audio source that is open for reading.

    Attributes:
        name: Name of the source in error messages.
        size: Number of its bytes.
        whole: Argument for libsndfile: the descriptor of a local file, or an open file.
        distant: Whether reading it twice is slow, because it is remote or not a file of this machine.
        path: Its path. None if it was opened from bytes or from an open file.
        hashed: Hash of the bytes that have been read, if the source is remote.
    """

    name: str
    size: int
    whole: Any
    distant: bool
    _at: Callable[[int, int], bytes]
    _version: Callable[[], Any] | None = None
    _first_version: Any = None
    path: str | None = None
    hashed: Hashed | None = None
    _head: bytes = b""
    _handle: Any = None

    def __post_init__(self) -> None:
        self._head = self._read(0, min(HEAD, self.size))

    def at(self, position: int, size: int) -> bytes:
        """Returns `size` bytes at a position, or fewer at the end of the file.

        Raises:
            AudioError: If they cannot be read. Its stage is `read`.
        """
        end = min(position + size, self.size)
        return self._head[position:end] if end <= len(self._head) else self._read(position, max(0, end - position))

    def _read(self, position: int, size: int) -> bytes:
        try:
            return self._at(position, size)
        except (OSError, ValueError) as error:
            raise _unreadable(self.name, error) from error

    def handle(self, pieces: tuple[tuple[int, int] | bytes, ...] | None) -> Any:
        """Returns an argument for libsndfile that reads from the beginning.

        Args:
            pieces: The bytes to read, as in `audiopipe.audio.parts.Part`. If None, all of them.
        """
        if pieces is not None:
            self._handle = _Watched(Spliced(self._at, pieces))
        else:
            self._handle = self.whole
            if isinstance(self.whole, int):
                os.lseek(self.whole, 0, os.SEEK_SET)
            else:
                self.whole.seek(0)
        return self._handle

    def tell(self) -> int:
        """Returns how far libsndfile has read in the last handle."""
        if isinstance(self._handle, int):
            return os.lseek(self._handle, 0, os.SEEK_CUR)
        return int(self._handle.tell())

    def check(self) -> None:
        """Raises the error that occurred while libsndfile read, if there was one.

        Raises:
            AudioError: If reading failed. Its stage is `read`. Interrupts are raised as they are.
        """
        error = self._handle.error if isinstance(self._handle, _Watched) else None
        if isinstance(error, Exception):
            raise _unreadable(self.name, error) from error
        if error is not None:
            raise error

    def check_unchanged(self) -> None:
        """Raises an error if a local file has changed since it was opened.

        Raises:
            AudioError: If the file has changed. Its stage is `read`.
        """
        if self._version is not None and self._first_version != self._version():
            raise AudioError(f"{self.name} changed while it was read. Read it again.", stage="read")

    def digest(self) -> bytes | None:
        """Returns the digest of all bytes of the source, see `audiopipe.storage.digests`.

        A source of this machine is read for it. A remote file is not read twice: its bytes are hashed as they pass, so
        it has a digest only after it has been read nearly to its end.

        Returns:
            16 bytes. None if the file cannot be read, has changed since it was opened, or is remote and much of it has
            not been read.
        """
        try:
            if self.hashed is not None:
                return self.hashed.digest()
            found = digests.of(self._at(begin, digests.BLOCK) for begin in range(0, self.size, digests.BLOCK))
            self.check_unchanged()
        except (OSError, ValueError, AudioError):
            return None
        return found


AudioSource = str | os.PathLike[str] | bytes | BinaryIO | Opened


@contextlib.contextmanager
def opened(source: AudioSource) -> Iterator[Opened]:
    """Opens a source and closes it at the end. A file that the caller has opened stays open.

    Args:
        source: A local or remote path, the bytes of an audio file, or an open binary file. An open file is read from
            its current position. If it cannot seek, it is copied into a temporary file first. A source that this
            function has opened is yielded as it is, and stays open.

    Yields:
        The open source.

    Raises:
        AudioError: If the source cannot be opened. Its stage is `read`.
    """
    if isinstance(source, Opened):
        yield source
        return
    name = describe(source)
    with contextlib.ExitStack() as stack:
        try:
            ready = _open(source, name, stack)
            ready.path = path_of(source)
        except (OSError, ValueError) as error:  # a ValueError means that no file can have such a path
            raise _unreadable(name, error) from error
        yield ready


@contextlib.contextmanager
def near(file: Opened) -> Iterator[Opened]:
    """Copies a source into a temporary file if reading it twice costs much.

    Yields:
        The copy, or the source itself.

    Raises:
        AudioError: If the source cannot be read. Its stage is `read`.
    """
    if not file.distant:
        yield file
        return
    with contextlib.ExitStack() as stack:
        handle = file.handle(None)
        try:
            copy = _copied(handle, file.name, stack)
        except OSError as error:  # such as a full disk
            raise AudioError(f"Could not copy {file.name} into a temporary file: {error}.", stage="read") from error
        file.check()
        yield copy


def path_of(source: AudioSource) -> str | None:
    """Returns the path of a source. None if it has none, or is known only as bytes or as an open file."""
    if isinstance(source, Opened):
        return source.path
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else None


def describe(source: AudioSource) -> str:
    """Returns the name of a source for error messages."""
    if isinstance(source, Opened):
        return source.name
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"{len(source)} {noun_of(len(source), 'byte')}"
    if isinstance(source, (str, os.PathLike)):
        return repr(os.fspath(source))
    return "an open file"


def _open(source: AudioSource, name: str, stack: contextlib.ExitStack) -> Opened:
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = source if isinstance(source, bytes) else bytes(source)
        file = stack.enter_context(io.BytesIO(content))
        return Opened(name, len(content), _Watched(file), False, lambda at, size: content[at : at + size])
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if files.is_remote(path):
            return _remote(stack.enter_context(files.open_binary(path)), name)
        descriptor = files.open_descriptor(path)
        stack.callback(os.close, descriptor)
        return _local(descriptor, name)
    if not hasattr(source, "read"):
        raise AudioError(
            f"Audio must be a path, bytes or an open binary file. Received: {type(source).__name__}.", stage="read"
        )
    if hasattr(source, "seekable") and not source.seekable():
        return _copied(source, name, stack)
    return _seekable(source, name, source.tell())


def _local(descriptor: int, name: str) -> Opened:
    """Returns a local file. Given its descriptor, libsndfile reads without calling Python for every piece."""

    def at(position: int, size: int) -> bytes:
        return os.pread(descriptor, size, position)

    def version() -> tuple[int, int]:
        status = os.fstat(descriptor)
        return status.st_size, status.st_mtime_ns

    first = version()
    return Opened(name, first[0], descriptor, False, at, version, first)


def _remote(file: Any, name: str) -> Opened:
    if isinstance(file, io.BytesIO):  # of the filesystem `memory`
        return _seekable(file, name, 0)
    hashed = Hashed(file)
    ready = _seekable(hashed, name, 0)
    ready.hashed = hashed
    return ready


def _seekable(file: Any, name: str, origin: int) -> Opened:
    whole: Any = _complete(file)

    def at(position: int, size: int) -> bytes:
        file.seek(origin + position)
        return whole(size)

    size = file.seek(0, os.SEEK_END) - origin
    watched = _Watched(file) if origin == 0 else _Watched(Spliced(at, [(0, size)]))
    return Opened(name, size, watched, not isinstance(file, io.BytesIO), at)


def _complete(file: Any) -> Callable[[int], bytes]:
    """Returns a function that reads as many bytes as asked for, although the file may return fewer."""

    def read(size: int) -> bytes:
        pieces = [file.read(size)]
        while pieces[-1] and (size := size - len(pieces[-1])) > 0:
            pieces.append(file.read(size))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    return read


def _copied(file: Any, name: str, stack: contextlib.ExitStack) -> Opened:
    copy = stack.enter_context(tempfile.TemporaryFile(prefix="audiopipe-"))  # noqa: SIM115 (the stack closes it)
    shutil.copyfileobj(file, copy, 1 << 20)
    copy.flush()
    return _local(copy.fileno(), name)


def _unreadable(name: str, error: Exception) -> AudioError:
    if isinstance(error, AudioError):
        return error
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
        while piece and (size := size - len(piece)) > 0:
            pieces.append(piece := self._do("read", size, instead=b""))
        return b"".join(pieces)

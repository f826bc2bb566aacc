"""Whether the audio of a clip is still what it was when its feature was computed."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from audiopipe.inputs import digests, tables
from audiopipe.inputs.listings import Listed
from audiopipe.inputs.source import Source
from audiopipe.inputs.tables import Table

THREADS = 16  # more than processors, because they wait for storage
AHEAD = 4 * THREADS
RECORDINGS = 1 << 16  # whose digests are remembered, because further stretches of them may follow

Verdict = Literal["same", "maybe", "changed"]


@dataclass(frozen=True, slots=True)
class StoredAudio:
    """What is known about the audio from which the feature of a clip was computed.

    Args:
        path: The audio file, or the table that contains the audio.
        row: Row in the table. None for an audio file.
        start: Where the clip starts in its recording, in seconds. None if it is the whole recording.
        end: Where the clip ends in its recording, in seconds. None if it ends where the recording ends.
        size: Size of the audio file in bytes. None in a table, or if storage did not report it.
        time_ns: When a local audio file was last modified, in nanoseconds. None for all others.
        version: Text that changes when a remote file or the table is rewritten. None for local audio files.
        digest: xxh3-128 of the bytes of the audio file. None if it is not known.
    """

    path: str
    row: int | None
    start: float | None
    end: float | None
    size: int | None
    time_ns: int | None
    version: str | None
    digest: bytes | None

    @classmethod
    def of(cls, clip: Listed, digest: bytes | None = None) -> "StoredAudio":
        """Returns what is stored about a clip whose audio has just been read.

        Example:
            >>> StoredAudio.of(Listed(Source("a", "/clips/a.wav"), 32044, "1795176703")).time_ns
            1795176703
        """
        path, row = clip.source.recording()
        # The index of a feature set has text only, so bytes of a path that are not UTF-8 are escaped.
        path = path.encode("utf-8", "backslashreplace").decode()
        return cls(path, row, clip.source.start, clip.source.end, clip.size, clip.time_ns, clip.tag, digest)


def compare(stored: StoredAudio, clip: Listed) -> Verdict:
    """Compares the audio of a clip as it is listed now with what was stored about it. Reads nothing.

    Args:
        stored: What was stored.
        clip: The clip as it is now.

    Returns:
        - `"same"` if it is at the same place, as large as before, and was not written since. Without a digest, it may
          also be at another place.
        - `"maybe"` if only its content can tell, see `compare_digests`: it was written since, or is at another place.
        - `"changed"` if it has another size, is another stretch, or is gone. Without a digest, also if it was written
          since.

    Example:
        >>> stored = StoredAudio("/clips/a.wav", None, None, None, 32044, 1, None, bytes(16))
        >>> source = Source("a", "/clips/a.wav")
        >>> [compare(stored, Listed(source, *now)) for now in [(32044, "1"), (32044, "2"), (9, "2")]]
        ['same', 'maybe', 'changed']
    """
    verdict = _by_facts(stored, clip)
    if verdict != "maybe" or stored.digest is not None:
        return verdict
    now = StoredAudio.of(clip)
    before = (stored.row, stored.size, stored.time_ns, stored.version)
    return "same" if before == (now.row, now.size, now.time_ns, now.version) else "changed"


def lacks_digest(stored: StoredAudio, clip: Listed) -> bool:
    """Returns whether `compare` had to guess, because only a digest could tell, and none is stored."""
    return stored.digest is None and _by_facts(stored, clip) == "maybe"


def compare_digests(pairs: Iterable[tuple[StoredAudio, Listed]]) -> Iterator[bool]:
    """Reads audio and compares its digest with the stored one, many files at a time.

    A recording is read once for all stretches of it that are near one another, a row group of a table once for all its
    rows. Memory stays bounded, and `pairs` is read only a limited number ahead.

    Args:
        pairs: What was stored about a clip, with its digest, and the clip as it is now, in the order of the input.

    Yields:
        For each pair, whether the audio has the stored digest. It has not if it cannot be read.

    Raises:
        InputError: If remote storage does not respond, or a table cannot be read.
    """
    waiting: deque[tuple[StoredAudio, Future[bytes | None]]] = deque()
    with _Digests() as found:
        for stored, clip in pairs:
            waiting.append((stored, found.of(clip.source)))
            if len(waiting) >= AHEAD:
                yield _agrees(*waiting.popleft())
        while waiting:
            yield _agrees(*waiting.popleft())


class _Digests:
    """Digests of clips, which threads compute.

    All rows of tables are read in one thread and in their order, because a table holds only its last row group.
    """

    def __init__(self) -> None:
        self._files = ThreadPoolExecutor(THREADS, "audiopipe-digests")
        self._tables = ThreadPoolExecutor(1, "audiopipe-digests")
        self._table: tuple[tuple[str, str | None], Table] | None = None
        self._recordings: OrderedDict[tuple[str, int | None], Future[bytes | None]] = OrderedDict()

    def __enter__(self) -> "_Digests":
        return self

    def __exit__(self, *_: object) -> None:
        for threads in (self._files, self._tables):
            threads.shutdown(cancel_futures=True)

    def of(self, source: Source) -> Future[bytes | None]:
        if not source.is_stretch:
            return self._read(source)
        key = source.recording()
        future = self._recordings.pop(key, None) or self._read(source)
        self._recordings[key] = future
        if len(self._recordings) > RECORDINGS:
            self._recordings.popitem(last=False)
        return future

    def _read(self, source: Source) -> Future[bytes | None]:
        if source.row is None:
            return self._files.submit(digests.of, source)
        return self._tables.submit(digests.of, source, self._open_table)

    def _open_table(self, path: str, column: str | None) -> Table:
        """Opens a table once for its rows. `tables.open_table` asks storage for its version each time."""
        if self._table is None or self._table[0] != (path, column):
            self._table = (path, column), tables.open_table(path, column)
        return self._table[1]


def _agrees(stored: StoredAudio, digest: Future[bytes | None]) -> bool:
    return stored.digest is not None and digest.result() == stored.digest


def _by_facts(stored: StoredAudio, clip: Listed) -> Verdict:
    now = StoredAudio.of(clip, stored.digest)
    gone = clip.version is None
    other_size = None not in (stored.size, now.size) and stored.size != now.size
    if gone or other_size or (stored.start, stored.end) != (now.start, now.end):
        return "changed"
    return "same" if stored == now else "maybe"

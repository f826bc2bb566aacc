"""Records that are computed in one order and written in another.

Stretches of one recording are computed together, in the order of their starts, but every record is written in the order
of the input.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from audiopipe.errors import OutputError
from audiopipe.inputs import Source

HELD_BYTES = 1 << 26  # of waiting records in memory; more go to disk


@dataclass(frozen=True, slots=True)
class Record:
    """Encoded record of a clip.

    Args:
        content: The record, see `audiopipe.feature_sets.records`.
        place: Number of the record in its shard, for which it was encoded.
        source: The clip, which may be a segment of a recording.
        n_frames: Number of its frames.
        valid_frames: Number of its frames that hold audio. None if it is not known.
        seconds: Length of the audio that it was computed from.
    """

    content: bytes
    place: int
    source: Source
    n_frames: int
    valid_frames: int | None
    seconds: float


class OrderedRecords:
    """Passes on the records of clips in the order of the clips.

    A record whose turn has come is passed on at once. The others wait in a temporary file, or in memory if they are
    small.

    Args:
        write: Function that writes a record of the clip with a number.

    Example:
        >>> written = []
        >>> with OrderedRecords(lambda clip, record: written.append(record.content)) as ordered:
        ...     ordered.add(1, Record(b"second", 1, Source("b", "b.wav"), 98, 98, 1.0))
        ...     ordered.finish(1)
        ...     ordered.add(0, Record(b"first", 0, Source("a", "a.wav"), 98, 98, 1.0))
        ...     ordered.finish(0)
        >>> written
        [b'first', b'second']
    """

    def __init__(self, write: Callable[[int, Record], None]):
        self._write = write
        self._turn = 0
        self._finished: set[int] = set()
        self._waiting: dict[int, list[tuple[int, Record]]] = defaultdict(list)
        self._file = tempfile.SpooledTemporaryFile(HELD_BYTES, prefix="audiopipe-")  # noqa: SIM115 (`__exit__`)

    def __enter__(self) -> "OrderedRecords":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, number: int, record: Record) -> None:
        """Adds a record of the clip with this number, counted from 0. Records of one clip keep their order.

        Raises:
            OutputError: If the temporary file cannot be written.
        """
        if number == self._turn:
            self._write(number, record)
            return
        try:
            start = self._file.seek(0, 2)
            self._file.write(len(record.content).to_bytes(8, "little") + record.content)
        except OSError as error:  # not the fault of the clip
            raise OutputError(
                f"Could not write a temporary file to {tempfile.gettempdir()!r}: {error.strerror or error}. Free some "
                "space, or set the environment variable TMPDIR to another folder."
            ) from error
        self._waiting[number].append((start, replace(record, content=b"")))

    def finish(self, number: int) -> None:
        """Tells that a clip has no more records. Each clip must be finished once."""
        self._finished.add(number)
        while self._turn in self._finished:
            self._finished.discard(self._turn)
            self._turn += 1
            for start, record in self._waiting.pop(self._turn, ()):
                self._write(self._turn, replace(record, content=self._read(start)))

    def _read(self, start: int) -> bytes:
        self._file.seek(start)
        return self._file.read(int.from_bytes(self._file.read(8), "little"))

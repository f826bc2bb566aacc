"""Search for duplicates among many names, without keeping the names in memory."""

import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import numpy as np

SUSPECTS = 100_000  # hashes whose names are in memory at once
BLOCK = 1 << 24  # hashes that are in memory, 134 MB; more go to disk
RANGES = 64  # of values that are compared one after another, if hashes are on disk


class Names:
    """Names that should be unique, stored as hashes of 8 bytes each. Many millions of them are on disk.

    Example:
        >>> names = Names()
        >>> for name in "abca":
        ...     names.add(name)
        >>> names.repeated(lambda: "abca")
        'a'
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._sizes: list[int] = []  # of the sorted blocks in the file
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return sum(self._sizes) + len(self._hashes)

    def add(self, name: str) -> None:
        """Adds the next name."""
        self._hashes.append(hash(name))
        if len(self._hashes) == BLOCK:
            self._write_block()

    def repeated(self, again: Callable[[], Iterable[str]]) -> str | None:
        """Returns a name that was added twice, or None if there is none.

        Args:
            again: Returns all names again. It is called only if two names have the same hash. For ten million
                different names, that happens in one of several hundred thousand inputs.
        """
        for equal in self._equal():
            for start in range(0, len(equal), SUSPECTS):
                suspects, seen = set(equal[start : start + SUSPECTS].tolist()), set()
                for name in again():
                    if hash(name) in suspects:
                        if name in seen:
                            return name
                        seen.add(name)
        return None

    def _write_block(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="audiopipe-")  # noqa: SIM115 (it lives as long as the names)
        hashes = np.frombuffer(self._hashes, np.int64)
        hashes.sort()
        self._file.write(hashes.tobytes())
        self._sizes.append(len(hashes))
        self._hashes = array("q")

    def _equal(self) -> Iterator[np.ndarray]:
        """Yields the hashes that are there more than once, in ascending order."""
        hashes = np.frombuffer(self._hashes, np.int64)
        hashes.sort()  # in place, because their order does not matter
        if self._file is None:
            yield _repeated(hashes)
            return
        self._file.flush()
        starts = np.cumsum([0, *self._sizes[:-1]]).tolist()
        blocks = [
            np.memmap(self._file, np.int64, "r", offset=8 * start, shape=(size,))
            for start, size in zip(starts, self._sizes, strict=True)
        ]
        bounds = [-(2**63) + number * (2**64 // RANGES) for number in range(RANGES)]
        places = [[*np.searchsorted(block, bounds).tolist(), len(block)] for block in (*blocks, hashes)]
        for number in range(RANGES):
            parts = [
                block[place[number] : place[number + 1]] for block, place in zip((*blocks, hashes), places, strict=True)
            ]
            values = np.concatenate(parts)
            values.sort()
            yield _repeated(values)


def _repeated(ordered: np.ndarray) -> np.ndarray:
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])

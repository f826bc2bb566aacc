"""Search for duplicates among many names, without keeping the names in memory."""

from array import array
from collections.abc import Callable, Iterable

import numpy as np

SUSPECTS = 100_000  # hashes whose names are in memory at once


class Names:
    """Names that should be unique, stored as hashes of 8 bytes each.

    Example:
        >>> names = Names()
        >>> for name in "abca":
        ...     names.add(name)
        >>> names.repeated(lambda: "abca")
        'a'
    """

    def __init__(self) -> None:
        self._hashes = array("q")

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, name: str) -> None:
        """Adds the next name."""
        self._hashes.append(hash(name))

    def repeated(self, again: Callable[[], Iterable[str]]) -> str | None:
        """Returns a name that was added twice, or None if there is none.

        Args:
            again: Returns all names again. It is called only if two names have the same hash. For ten million
                different names, that happens in one of several hundred thousand inputs.
        """
        hashes = np.frombuffer(self._hashes, np.int64)
        hashes.sort()  # in place, because their order does not matter
        equal = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        for start in range(0, len(equal), SUSPECTS):
            suspects, seen = set(equal[start : start + SUSPECTS].tolist()), set()
            for name in again():
                if hash(name) in suspects:
                    if name in seen:
                        return name
                    seen.add(name)
        return None

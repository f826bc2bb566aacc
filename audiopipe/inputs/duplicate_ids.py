"""Which of many names comes twice, told without holding the names."""

from array import array
from collections.abc import Callable, Iterable

import numpy as np

SUSPECTS = 100_000  # of which the names are held at once


class Names:
    """Names of which none should come twice, in 8 bytes each.

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
        """Take the next name."""
        self._hashes.append(hash(name))

    def repeated(self, again: Callable[[], Iterable[str]]) -> str | None:
        """A name that came twice, None if there is none.

        Args:
            again: Gives the names once more. It is called only when two of them have the same hash, which of ten
                million different ones happens once in some hundred thousand inputs.
        """
        hashes = np.frombuffer(self._hashes, np.int64)
        hashes.sort()  # in place: their order means nothing
        equal = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        for start in range(0, len(equal), SUSPECTS):
            suspects, seen = set(equal[start : start + SUSPECTS].tolist()), set()
            for name in again():
                if hash(name) in suspects:
                    if name in seen:
                        return name
                    seen.add(name)
        return None

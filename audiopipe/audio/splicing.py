"""Files that consist of stretches of another file and of bytes between them."""

import bisect
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

BLOCK = 1 << 16


class Spliced:
    """Seekable binary file over stretches of another file.

    libsndfile reads a part of a file through it, with a corrected header or without the pages of another stream, as if
    it were a file of its own. Nothing is copied but the current block.

    Example:
        >>> content = b"abcdefgh"
        >>> Spliced(lambda position, size: content[position : position + size], [(0, 2), b"...", (6, 8)]).read(100)
        b'ab...gh'
    """

    def __init__(self, at: Callable[[int, int], bytes], pieces: Iterable[tuple[int, int] | bytes]):
        """Creates the file.

        Args:
            at: Function of a position and a size that returns bytes of the other file.
            pieces: Positions of stretches, begin and end, and bytes.
        """
        self._at = at
        self._pieces = [piece for piece in pieces if isinstance(piece, bytes) or piece[1] > piece[0]]
        sizes = (len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in self._pieces)
        self._ends = list(accumulate(sizes))
        self.size = self._ends[-1] if self._ends else 0
        self._position = 0
        self._block, self._block_start = b"", 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves to a position, as `io.IOBase.seek` does."""
        # Offsets come from damaged headers too, and libsndfile's positions have 64 bits.
        self._position = min(max(0, offset + (0, self._position, self.size)[whence]), 1 << 62)
        return self._position

    def tell(self) -> int:
        """Returns the position."""
        return self._position

    def read(self, size: int) -> bytes:
        """Returns the next bytes: `size`, or fewer at the end of the file."""
        begin = self._position - self._block_start
        if not 0 <= begin <= len(self._block) - size:
            self._block_start = self._position
            self._block, begin = b"".join(self._bytes(max(size, BLOCK))), 0
        content = self._block[begin : begin + size]
        self._position += len(content)
        return content

    def _bytes(self, size: int) -> Iterator[bytes]:
        position = self._position
        for number in range(bisect.bisect_right(self._ends, position), len(self._pieces)):
            piece = self._pieces[number]
            length = len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]
            offset = position - (self._ends[number] - length)
            count = min(size, length - offset)
            content = piece[offset : offset + count] if isinstance(piece, bytes) else self._at(piece[0] + offset, count)
            yield content
            position, size = position + count, size - count
            if size == 0 or len(content) < count:
                return

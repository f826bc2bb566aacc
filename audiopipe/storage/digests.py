"""Digests of bytes: xxh3-128, which tells equal content from other content at the speed of memory.

It detects changes. It is no protection against somebody who wants two files to have the same digest.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import xxhash

BLOCK = 1 << 20
Hasher = xxhash.xxh3_128


def of(pieces: Iterable[bytes]) -> bytes:
    """Returns the digest of consecutive pieces: 16 bytes, which do not depend on where the pieces end.

    Example:
        >>> of([b"ab", b"c"]) == of([b"abc"])
        True
        >>> of([b"abc"]).hex()
        '06b05ab6733a618578af5f94892f3950'
    """
    state = Hasher()
    for piece in pieces:
        state.update(piece)
    return state.digest()


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yields the bytes of an open file from its position to its end, in blocks of at most 1 MiB."""
    while block := file.read(BLOCK):
        yield block

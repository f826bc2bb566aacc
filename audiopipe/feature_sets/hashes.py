"""Hashes of ids and groups, which find clips and divide them.

The hash of a text is xxh3-64 of its UTF-8 bytes, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.
"""

from collections.abc import Iterable

import numpy as np
import xxhash


def of_texts(texts: Iterable[bytes], seed: int = 0) -> np.ndarray:
    """Returns the hash of each text.

    Args:
        texts: UTF-8 bytes of each text.
        seed: Seed of the hash.

    Returns:
        uint64 `[n]`.

    Example:
        >>> of_texts([b"speaker-1", b"speaker-2"]).tolist()
        [12403005252197857285, 4211821150973150465]
    """
    return np.fromiter((xxhash.xxh3_64_intdigest(text, seed) for text in texts), np.uint64)

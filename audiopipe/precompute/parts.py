"""Assignment of the clips of an input to the parts of a feature set.

It depends on the clip alone, so that a clip stays in its part when others are added or removed before it, and when the
input is moved to another folder.
"""

import xxhash

from audiopipe.inputs import Source

ROWS_TOGETHER = 1024  # of a table, because a row group that several parts share is read by each of them


def part_of(source: Source, n_parts: int) -> int:
    """Returns the number of the part of a clip.

    Stretches of one recording go to one part, so that it is decoded there alone. Neighbouring rows of a table that
    contains audio stay together. Every other clip goes where its id leads.

    Args:
        source: The clip.
        n_parts: Number of parts.

    Example:
        >>> stretches = [Source(f"a#{start}", "/calls/a.wav", start=start, end=start + 1.0) for start in (0.0, 1.0)]
        >>> part_of(stretches[0], 1000) == part_of(stretches[1], 1000)
        True
    """
    if source.row is not None:
        return (_hash(_tail(source.path)) + source.row // ROWS_TOGETHER) % n_parts
    return _hash(_tail(source.path) if source.is_stretch else source.id) % n_parts


def _tail(path: str) -> str:
    """Returns the last two components of a path, which an input keeps when it is moved."""
    return "/".join(path.split("/")[-2:])


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))

"""Stated sizes of samples against the bytes that a file holds.

A size may be a placeholder, wrong by the length of a header, or wrapped at 4 GiB. The rules here are the same for all
formats whose header gives the size of the samples in bytes.
"""

import dataclasses

import numpy as np

from audiopipe.audio import magic
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss
from audiopipe.wording import noun_of

STREAM_SLACK = 8192  # programs round placeholder sizes down to whole frames, or subtract the header
# Programs that write into a pipe cannot correct the size afterwards. 0x7F000008 is SoX's size for AIFF.
PLACEHOLDERS = (0x7F000008, 1 << 31, 1 << 32, 1 << 63, 1 << 64)
LARGEST_HEADER = 44  # bytes of a WAV header, which careless writers count as samples
WRAP = 1 << 32
BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Size:
    """Size of the samples that is to be read.

    Attributes:
        size: The size in bytes.
        losses: What is missing.
        notes: Remarks about a wrong size.
    """

    size: int
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()


def is_placeholder(size: int) -> bool:
    """Returns whether a size, other than 0, means that the writer did not know it."""
    return size < 0 or any(limit - STREAM_SLACK <= size <= limit for limit in PLACEHOLDERS)


def of_samples(file: Opened, stated: int, begin: int, header: int, name: str) -> Size:
    """Compares a stated size with the bytes that follow the header.

    Args:
        file: The source.
        stated: The size according to the header. It is not 0.
        begin: Position of the samples.
        header: Number of bytes before the samples.
        name: Name of the samples in the format, such as `"data chunk"`.
    """
    there = file.size - begin
    if stated == there:
        return Size(stated)
    if is_placeholder(stated):
        return Size(unknown(file, begin))
    surplus = stated - there
    if surplus <= 0:
        return Size(stated)
    if there and (surplus <= LARGEST_HEADER or surplus == header):
        more = f"{surplus} {noun_of(surplus, 'byte')} more"
        note = f"the header gives the {name} {more} than its {there}, as writers do that count headers"
        return Size(there, notes=(note,))
    there = max(0, there)
    return Size(there, losses=(Loss(f"the {name} has {there} of {stated} bytes", surplus, there),))


def unknown(file: Opened, begin: int) -> int:
    """Returns the number of bytes from a position to the next file, or to the end if no other file follows.

    Only a file that begins with the same two letters as the whole one is looked for, which is fast.
    """
    letters = np.frombuffer(file.at(0, 2), "u2")[0]
    for start in range(begin, file.size, BLOCK):
        data = file.at(start, BLOCK + 15)
        pairs = [np.flatnonzero(np.frombuffer(data, "u2", (len(data) - odd) // 2, odd) == letters) for odd in (0, 1)]
        places = sorted([*(2 * pairs[0]).tolist(), *(2 * pairs[1] + 1).tolist()]) if any(map(len, pairs)) else []
        for place in places:
            if place < BLOCK and magic.is_container(data[place : place + 16]):
                return start + place - begin
    return max(0, file.size - begin)


def wrapped(stated: int, there: int) -> int | None:
    """Returns the size that wraps at 4 GiB to the stated one, or None if the file is too small for any.

    The largest size that fits is the most likely one: what follows the samples is rarely 4 GiB long.
    """
    return stated + (there - stated) // WRAP * WRAP if there - stated >= WRAP else None


def wrap_note(stated: int, size: int) -> str:
    """Returns the remark about a size that wrapped at 4 GiB."""
    return f"the header gives {stated} bytes of samples because their size wrapped at 4 GiB, and all {size} were read"

"""The parts of audio files, in the order in which they are heard.

libsndfile decodes the first of several files or streams that follow one another, believes sizes in headers, and stops
without an error where a file is truncated. This module looks at the container instead, and finds all parts and what is
missing of them. Most files have one part, which libsndfile reads as it is.
"""

import dataclasses
import struct

from audiopipe.audio import chunks, flac, headers, magic, mpeg, ogg, tags, voc
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss, Part
from audiopipe.wording import noun_of

MAX_PARTS = 100_000
ZEROS = 1 << 20


def parts(file: Opened, position: int = 0) -> list[Part]:
    """Returns the parts of a file from a position on, at least one.

    Args:
        file: The open source. Files of compressed audio are read as a whole, so it should be near.
        position: Where the first part begins.

    Raises:
        AudioError: If the source cannot be read. Its stage is `read`.
    """
    found: list[Part] = []
    start = position
    while position < file.size and len(found) < MAX_PARTS:
        try:
            following, end = _following(file, position)
        except struct.error:  # a header is incomplete
            following, end = [], position
        if not following or end <= position:
            break
        found += following
        position = tags.behind_all(file, end)
    if not found or all(part.pieces == () for part in found):
        losses = tuple(loss for part in found for loss in part.losses)
        return [Part(start, file.size, None if start == 0 else ((start, file.size),), losses=losses)]
    if position < file.size:
        found[-1] = _with_rest(file, found[-1], position)
    return found


def is_scanned(head: bytes) -> bool:
    """Returns whether a file that begins with these bytes is read as a whole before it is decoded."""
    return head[:4] in (b"OggS", b"fLaC") or head[:3] == b"ID3" or head[:1] == b"\xff"


def _following(file: Opened, position: int) -> tuple[list[Part], int]:
    """Returns the parts of the file that begins at a position, and the position behind it."""
    head = file.at(position, 16)
    style = chunks.style(head)
    if style is not None:
        part = chunks.part(file, position, style)
        return ([part], part.end) if part else ([], position)
    if head[:4] == b"OggS":
        return ogg.parts(file, position)
    if head[:4] == b"fLaC":
        return flac.parts(file, position)
    if head == b"Creative Voice F":
        return voc.parts(file, position)
    begin = tags.behind(file, position) if head[:3] == b"ID3" else position
    if begin > position and begin < file.size and magic.is_container(file.at(begin, 16)):
        found, end = _following(file, begin)
        if position == 0 and len(found) == 1 and found[0].pieces is None:
            found = [dataclasses.replace(found[0], start=0)]
        return found, end
    if head[:1] == b"\xff" or begin > position:
        return mpeg.parts(file, position) if position == 0 or mpeg.is_stream(file, position) else ([], position)
    part = headers.part(file, position, head)
    return ([part], part.end) if part else ([], position)


def _with_rest(file: Opened, part: Part, position: int) -> Part:
    """Adds the bytes behind the last part, which belong to nothing, to what is lost."""
    rest, there = file.size - position, part.end - part.start
    begin = position
    if rest == 1 and file.at(position, 1) == b"\0":
        return part  # CAF files of libsndfile have an even length
    while begin < file.size:
        block = file.at(begin, ZEROS)
        if block.strip(b"\0"):
            follow = noun_of(rest, "byte follows", "bytes follow")
            text = f"{rest} {follow} behind the {there} bytes that the headers announce"
            return dataclasses.replace(part, losses=(*part.losses, Loss(text, rest, there)))
        begin += len(block) or file.size
    zeros = noun_of(rest, "zero byte behind the samples was", "zero bytes behind the samples were")
    return dataclasses.replace(part, notes=(*part.notes, f"{rest} {zeros} not read"))

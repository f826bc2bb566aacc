"""Completeness check of MP3 files.

An MP3 file has no container. Frames follow one another, and each begins with a header of four bytes that gives its
length. The check reads only the first 4 kB and the last 8 kB of the file, and the headers of tags.
"""

import functools
import re
import struct
from typing import BinaryIO

HEAD, TAIL = 4096, 8192
SURE = 3  # this many consecutive frames of one kind are no coincidence
SYNC = re.compile(rb"\xff[\xe2-\xff]")
# Bit rates in kbit/s by layer: ISO/IEC 11172-3 for MPEG 1, ISO/IEC 13818-3 for the other versions.
MPEG_1 = {
    1: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
MPEG_2 = {
    1: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SAMPLE_RATES = (44100, 48000, 32000)


def missing(file: BinaryIO, start: int, end: int) -> str | None:
    """Returns what is missing from the MP3 file between `start` and `end`; see `audiopipe.audio.containers.missing`."""
    file.seek(start)
    head = file.read(HEAD)
    first = _first_frame(head)
    if first is None:
        return None
    promised, there = _promised_bytes(head[first:]), end - start - first
    if promised > there:
        return f"the frames have {there} of the {promised} bytes that the first frame announces"
    end = _before_tags(file, start, end)
    begin = max(start + first, end - TAIL)
    file.seek(begin)
    return _missing_from_last_frame(file.read(end - begin), sure=begin == start + first)


def behind_tags(file: BinaryIO, position: int) -> int:
    """Returns the position after the ID3v2 tags at `position`.

    If a tag is truncated, that position is beyond the end of the file.
    """
    while True:
        file.seek(position)
        tag = file.read(10)
        if len(tag) < 10 or tag[:3] != b"ID3":
            return position
        position += 10 + _seven_bits(tag[6:]) + (10 if tag[5] & 0x10 else 0)


def _seven_bits(four: bytes) -> int:
    return four[0] << 21 | four[1] << 14 | four[2] << 7 | four[3]


def _before_tags(file: BinaryIO, start: int, end: int) -> int:
    """Returns the position of the first ID3v1, APE or Lyrics3 tag at the end; the tags may come in any order."""
    while True:
        begin = max(start, end - 128)
        file.seek(begin)
        tail = file.read(end - begin)
        if len(tail) == 128 and tail[:3] == b"TAG":
            size = 128
        elif tail[-32:-24] == b"APETAGEX":
            size, _, flags = struct.unpack("<3I", tail[-20:-8])
            size += 32 if flags >> 31 else 0  # the size field excludes the header
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            size = int(tail[-15:-9]) + 15
        else:
            return end
        if not 0 < size <= end - start:
            return end
        end -= size


@functools.lru_cache(4096)
def _frame_size(header: bytes) -> int:
    """Returns the size in bytes of the frame with this header, or 0 if the header is invalid or gives no length."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bit_rate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or bit_rate in (0, 15) or rate == 3:
        return 0
    is_1 = version == 3
    bits = (MPEG_1 if is_1 else MPEG_2)[layer][bit_rate - 1] * 1000
    sample_rate = SAMPLE_RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // sample_rate + padding) * 4
    return (72 if layer == 3 and not is_1 else 144) * bits // sample_rate + padding


def _kind(header: bytes) -> tuple[int, int]:
    """Returns the header bits that are equal in all frames of a stream: version, layer and sample rate."""
    return header[1] & 0xFE, header[2] & 0x0C


def _first_frame(head: bytes) -> int | None:
    """Returns the position of the first frame, or None.

    A frame counts if another one of its kind follows, or if `head` ends before the next header does.
    """
    for match in SYNC.finditer(head):
        begin = match.start()
        size = _frame_size(head[begin : begin + 4])
        follower = head[begin + size : begin + size + 4]
        if size and (len(follower) < 4 or (_frame_size(follower) and _kind(follower) == _kind(head[begin:]))):
            return begin
    return None


def _promised_bytes(frame: bytes) -> int:
    """Returns the number of bytes that a Xing, Info or VBRI header gives, or 0; it includes the header's own frame."""
    if frame[36:40] == b"VBRI" and len(frame) >= 50:
        return int(struct.unpack(">I", frame[46:50])[0])
    found = re.search(rb"Xing|Info", frame[:42])  # at 13 to 36 by version and channels; 2 later with a CRC
    if found is None or len(frame) < found.end() + 12:
        return 0
    flags, frames_or_bytes, size_if_both = struct.unpack(">3I", frame[found.end() : found.end() + 12])
    if not flags & 2:
        return 0
    return int(size_if_both if flags & 1 else frames_or_bytes)


def _missing_from_last_frame(tail: bytes, sure: bool) -> str | None:
    """Returns what is missing from the last frame, or None.

    If `sure`, a frame begins at the first byte of `tail`.
    """
    position, lacking = 0, b""
    while match := SYNC.search(tail, position):
        begin = position = match.start()
        length, size = SURE if sure and begin == 0 else 0, _frame_size(tail[begin : begin + 4])
        while size and position + size <= len(tail):
            follower = tail[position + size : position + size + 4]
            length, position = length + 1, position + size
            size = _frame_size(follower) if _kind(tail[begin : begin + 4]) == _kind(follower.ljust(4)) else 0
        if length < SURE:
            position = begin + 1
        elif size:
            return f"the last frame has {len(tail) - position} of {size} bytes"
        else:
            lacking = tail[position:] if len(tail) - position < 4 else b""
    return "the header of the last frame is incomplete" if lacking[:1] == b"\xff" else None

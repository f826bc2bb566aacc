"""FLAC files: their number of samples, and files that were joined.

libFLAC stops after the number of samples in the header (STREAMINFO), so it neither finds that the number is too small
nor that another file follows. A look at the end of the file finds both: the header of the last frame tells where it
ends, and the beginning of a small file behind it is in sight. That of a large one shows in how far libFLAC has read.
Where more follows, the checksum of the last frame tells where the FLAC file ends.

The format: https://www.rfc-editor.org/rfc/rfc9639
"""

import functools
import re

from audiopipe.audio import magic, mpeg, mpeg_frames, tags
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss, Part

TAIL = 1 << 14
LARGEST_TAIL = 1 << 22  # two frames of 65,535 samples, 8 channels and 32 bits
READ_AHEAD = 1 << 13  # bytes in the buffer of libFLAC
LARGEST_FRAME = 1 << 17  # a frame of 4,608 samples, 8 channels and 24 bits; a larger one may hide bytes behind it
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_RATES = {1: 88200, 2: 176400, 3: 192000, 4: 8000, 5: 16000, 6: 22050, 7: 24000, 8: 32000, 9: 44100, 10: 48000}
_RATES |= {11: 96000}


class _Stream:
    """Properties of a stream from its STREAMINFO."""

    def __init__(self, info: bytes):
        self.block = int.from_bytes(info[2:4], "big")
        packed = int.from_bytes(info[10:18], "big")
        self.rate = packed >> 44
        self.channels = (packed >> 41 & 7) + 1
        self.bits = (packed >> 36 & 31) + 1
        self.total = packed & (1 << 36) - 1

    def end_of_frame(self, header: bytes) -> int | None:
        """Returns the number of samples up to the end of the frame with this header, or None if it is none."""
        frame = _frame(header)
        if frame is None:
            return None
        number, size, rate, channels, bits = frame
        if rate not in (0, self.rate) or channels != self.channels or bits not in (0, self.bits):
            return None
        return (number if header[1] & 1 else number * self.block) + size


def parts(file: Opened, start: int) -> tuple[list[Part], int]:
    """Returns the FLAC file from `start` on as a part, and the position behind it.

    Usually only its end is looked at, and another file may still follow behind its samples; see `following`.
    """
    stream = _stream(file, start)
    if stream is None:
        return [], start
    if stream.total and _ends_as_announced(file, start, stream):
        return [_part(file, start, file.size, stream, stream.total)], file.size
    end = next(magic.places(file.at, start + 8, file.size), file.size)
    last = _last_frame(file, start, end, stream)
    losses: tuple[Loss, ...] = ()
    # Summing takes longer than looking, so the end of a file that seems to be alone is not looked for.
    alone = end == file.size and not mpeg_frames.has_chain(file.at(max(start, end - TAIL), TAIL))
    behind = None if alone or last is None else _end_of_frames(file, start, end, stream, last)
    if behind is not None:
        place = tags.behind_all(file, behind)
        if place < end and mpeg.is_stream(file, place):
            end = behind
        elif place < end:
            losses = (between(place, end, start),)
    return [_part(file, start, end, stream, last, losses)], end


def following(file: Opened, start: int, position: int, end: int) -> tuple[int | None, int | None]:
    """Returns where another file begins behind the frames that libFLAC has read, and where those frames end.

    Args:
        file: The source.
        start: Position where the FLAC file begins.
        position: Position up to which libFLAC has read.
        end: Position behind the bytes that libFLAC may read.

    Returns:
        Two positions. The first is None if no other file was found, the second if the end of the frames was not.
    """
    stream = _stream(file, start)
    container = next(magic.places(file.at, max(start + 8, position - READ_AHEAD), end), None)
    limit = position if container is None else min(position, container)
    behind = None if stream is None else _end_of_frames(file, start, limit, stream, stream.total)
    if behind is not None:
        behind = tags.behind_all(file, behind)
        if behind < end and mpeg.is_stream(file, behind):
            return behind, behind
    return container, behind


def between(behind: int, end: int, start: int) -> Loss:
    """Returns the loss of bytes behind the frames of the FLAC file from `start` on, in front of `end`."""
    text = f"{end - behind} bytes behind the last FLAC frame belong to nothing"
    return Loss(text, end - behind, behind - start)


def _part(file: Opened, start: int, end: int, stream: _Stream, last: int | None, losses: tuple[Loss, ...] = ()) -> Part:
    whole = (start, end) == (0, file.size)
    if last is None or last <= stream.total or stream.total == 0:
        frames = max(stream.total, last or 0) or None
        return Part(start, end, None if whole else ((start, end),), frames, losses=losses)
    note = f"the header says {stream.total} samples, but the file has {last}, and all of them were read"
    # The total has 36 bits, which end 26 bytes behind the beginning.
    total = (file.at(start + 21, 1)[0] & 0xF0 | last >> 32 & 0x0F, last & 0xFFFFFFFF)
    number = bytes(total[:1]) + total[1].to_bytes(4, "big")
    return Part(start, end, ((start, start + 21), number, (start + 26, end)), last, losses=losses, notes=(note,))


def _stream(file: Opened, start: int) -> _Stream | None:
    info = file.at(start + 8, 34)
    return _Stream(info) if len(info) == 34 else None


def _ends_as_announced(file: Opened, start: int, stream: _Stream) -> bool:
    """Returns whether the last frame ends with the announced sample, and no other file is in sight behind it."""
    begin = max(start + 42, file.size - TAIL)
    tail = file.at(begin, file.size - begin)
    for sync in (b"\xff\xf8", b"\xff\xf9"):
        place = tail.rfind(sync)
        while place >= 0:
            if stream.end_of_frame(tail[place : place + 16]) == stream.total:
                # Another FLAC file has the last frame itself, and begins in front of it.
                near, rest = tail[-READ_AHEAD:place], tail[place:]
                nothing_else = b"fLaC" not in near and next(magic.positions(rest), None) is None
                return nothing_else and not mpeg_frames.has_chain(rest)
            place = tail.rfind(sync, 0, place)
    return False


def _last_frame(file: Opened, start: int, end: int, stream: _Stream) -> int | None:
    """Returns the number of samples up to the end of the last frame, or None if there is none."""
    size = TAIL
    while True:
        begin = max(start + 42, end - size)
        tail = file.at(begin, end - begin)
        # A frame that ends at the announced sample is believed. Any other one must have a neighbour.
        places = [match.start() for match in _SYNC.finditer(tail)]
        ends = [stream.end_of_frame(tail[place : place + 16]) for place in places]
        known = [samples for samples in ends if samples is not None]
        if known and known[-1] == stream.total:
            return known[-1]
        for samples, before in zip(known[:0:-1], known[-2::-1], strict=True):
            if 0 < samples - before <= max(stream.block, 1 << 16):
                return samples
        if begin == start + 42 or size >= LARGEST_TAIL:
            return known[-1] if known else None
        size *= 4


def _end_of_frames(file: Opened, start: int, end: int, stream: _Stream, last: int) -> int | None:
    """Returns the position behind the frame that ends before `end` and has the last sample, or None if none has.

    A frame ends with a checksum, so the checksum of all of it is 0. By chance, it is 0 elsewhere as well. The end of
    the bytes and the beginning of another file or a tag are believed first.
    """
    begin = max(start + 42, end - READ_AHEAD - LARGEST_FRAME)
    data = file.at(begin, end - begin)
    places = [match.start() for match in _SYNC.finditer(data)]
    first = next((place for place in reversed(places) if stream.end_of_frame(data[place : place + 16]) == last), None)
    if first is None:
        return None
    ends, before, value, table = [], 1, 0, _table(0x8005, 16)
    for position, byte in enumerate(data[first:], begin + first + 1):
        before, value = value, (value << 8 & 0xFFFF) ^ table[value >> 8 ^ byte]
        if value == 0 and before:  # zeros behind the frame do not change the checksum
            ends.append(position)
    if end in ends and (end == file.size or magic.is_container(file.at(end, 16))):
        return end
    for position in ends:
        if magic.is_container(file.at(position, 16)) or tags.behind_all(file, position) > position:
            return position
        if mpeg.is_stream(file, position):
            return position
    return ends[0] if ends else None


def _frame(header: bytes) -> tuple[int, int, int, int, int] | None:
    """Returns number, samples, rate, channels and bits per sample of the frame with this header, or None."""
    if len(header) < 6 or header[3] & 1:
        return None
    size_code, rate_code, layout, bits_code = header[2] >> 4, header[2] & 15, header[3] >> 4, header[3] >> 1 & 7
    if size_code == 0 or rate_code == 15 or layout > 10 or bits_code == 3:
        return None
    extra = max(0, 8 - (header[4] ^ 0xFF).bit_length())  # leading ones of the first byte
    if extra in (1, 8) or len(header) < 5 + max(extra - 1, 0):
        return None
    number = header[4] & (0x7F >> extra)
    at = 5
    for byte in header[5 : 4 + max(extra, 1)]:
        number, at = number << 6 | byte & 0x3F, at + 1
    if size_code in (6, 7):
        count = size_code - 5
        samples, at = int.from_bytes(header[at : at + count], "big") + 1, at + count
    else:
        samples = 192 if size_code == 1 else 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    rate = _RATES.get(rate_code, 0)
    if rate_code > 11:
        count = 1 if rate_code == 12 else 2
        value = int.from_bytes(header[at : at + count], "big")
        rate, at = value * {12: 1000, 13: 1, 14: 10}[rate_code], at + count
    if at >= len(header) or _crc(header[:at]) != header[at]:
        return None
    return number, samples, rate, 2 if layout > 7 else layout + 1, _BITS.get(bits_code, 0)


@functools.cache
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    """Returns the table of a CRC (RFC 9639, 9.1.8 and 9.3)."""
    table = []
    for value in range(256):
        value <<= bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 else 0)
            value &= (1 << bits) - 1
        table.append(value)
    return tuple(table)


def _crc(data: bytes) -> int:
    value, table = 0, _table(0x07, 8)
    for byte in data:
        value = table[value ^ byte]
    return value

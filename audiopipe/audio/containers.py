"""Whether an audio file is shorter than its container says.

Of most formats libsndfile decodes as much as there is, and what was cut off is silently missing from the clip. The
rules, by the first bytes of the file:

- WAV (RIFF, RIFX, RF64), W64, AIFF, AIFC, AU and CAF: the data chunk must be as long as its header says. A missing pad
  byte behind it is fine. Sizes that a program writes into a pipe, where it cannot come back to mend them, mean that the
  length is unknown: 0, -1, and those at most 8 kB below 2 GiB, 4 GiB or SoX's 0x7F000008 for AIFF.
- Ogg (Vorbis, Opus, FLAC): the last page must be complete and bear the end-of-stream flag that RFC 3533 demands.
- MP3: if the first frame is a Xing, Info or VBRI header with a number of bytes, there must be as many, and the last
  frame must be complete. Tags (ID3, APE, Lyrics3) are no frames.
- FLAC and all other formats: no opinion. For FLAC `audiopipe.audio` compares the number of samples instead.

What no rule can tell: an MP3 file without that header that was cut exactly between two frames; a file of chained Ogg
streams that was cut exactly between two of them; a stream of unknown length that broke off. What stands behind the
samples, as tags do, may be cut.

A check reads some headers at the beginning, or at most 64 kB at the end, whatever sizes the file claims.
"""

import struct
from typing import BinaryIO

from audiopipe.audio import mpeg

MAX_CHUNKS = 1000  # a file of nothing but empty chunks is given up
STREAM_SLACK = 8192  # programs round these sizes down to whole frames, or subtract the header
OGG_PAGE = 27 + 255 + 255 * 255
OGG_LAST = 0x04


def missing(file: BinaryIO) -> str | None:
    """What a file lacks of what its container promises.

    Args:
        file: A binary file that can seek; the container begins where it stands, and it stands there afterwards.

    Returns:
        A part of a sentence, such as `"the data chunk has 2000 of 4000 bytes"`, or None where nothing is missing, or
        where that cannot be told.

    Example:
        >>> import io
        >>> missing(io.BytesIO(b".snd" + struct.pack(">5I", 24, 4000, 3, 8000, 1) + bytes(2000)))
        'the data chunk has 2000 of 4000 bytes'
    """
    origin = file.tell()
    try:
        end = file.seek(0, 2)
        start = mpeg.behind_tags(file, origin)
        if start > end:
            return f"the file ends {start - end} bytes before its ID3 tag does"
        return _missing(file, start, end, tagged=start > origin)
    except struct.error:
        return None  # not even a header is complete, which no decoder takes
    finally:
        file.seek(origin)


def _missing(file: BinaryIO, start: int, end: int, tagged: bool) -> str | None:
    head = _at(file, start, 16)
    if head[:4] == b"OggS":
        return _missing_of_ogg(file, start, end)
    data = _data_chunk(file, head, start, end)
    if data is None and (tagged or head[:1] == b"\xff"):
        return mpeg.missing(file, start, end)
    if data is None or data[0] + data[1] <= end or _is_unknown(data[1]):
        return None
    return f"the data chunk has {max(0, end - data[0])} of {data[1]} bytes"


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


def _is_unknown(size: int) -> bool:
    """Whether a size stands for one that was not known when it was written."""
    limits = (0x7F000008, 1 << 31, 1 << 32, 1 << 63, 1 << 64)
    return size <= 0 or any(limit - STREAM_SLACK <= size <= limit for limit in limits)


def _data_chunk(file: BinaryIO, head: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Where the samples begin, and how many bytes the header says they have."""
    match head[:4]:
        case b"RIFF" | b"RF64" if head[8:12] == b"WAVE":
            return _chunk(file, start + 12, end, "<4sI", b"data")
        case b"RIFX" if head[8:12] == b"WAVE":
            return _chunk(file, start + 12, end, ">4sI", b"data")
        case b"FORM" if head[8:12] in (b"AIFF", b"AIFC"):
            return _chunk(file, start + 12, end, ">4sI", b"SSND")
        case b"riff":
            return _chunk(
                file, start + 40, end, "<16sQ", b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", 8, 24
            )
        case b"caff":
            return _chunk(file, start + 8, end, ">4sq", b"data", alignment=1)
        case b".snd" | b"dns.":
            offset, size = struct.unpack(">II" if head[:4] == b".snd" else "<II", head[4:12])
            return start + offset, size
    return None


def _chunk(
    file: BinaryIO, position: int, end: int, form: str, wanted: bytes, alignment: int = 2, counted: int = 0
) -> tuple[int, int] | None:
    """Content's position and size of the first chunk of a name; `counted` bytes of its header are in its size."""
    header = struct.calcsize(form)
    long_size = None
    for _ in range(MAX_CHUNKS):
        if position + header > end:
            return None
        name, size = struct.unpack(form, _at(file, position, header))
        position, size = position + header, size - counted
        if name == wanted:
            return position, size if long_size is None or size != 0xFFFFFFFF else long_size
        if size < 0:
            return None
        if name == b"ds64":  # of RF64, whose own sizes have 32 bits
            long_size = struct.unpack("<Q", _at(file, position + 8, 8))[0]
        position += size + -size % alignment
    return None


def _missing_of_ogg(file: BinaryIO, start: int, end: int) -> str | None:
    position = max(start, end - OGG_PAGE)
    tail = _at(file, position, OGG_PAGE)
    page = tail.rfind(b"OggS")
    while page > 0 and tail[page + 4 : page + 5] not in (b"\0", b""):  # no version of a page, so it is something else
        page = tail.rfind(b"OggS", 0, page)
    table = page + 27
    if page < 0 or len(tail) < table:
        return "the last Ogg page is not complete"
    body = table + tail[table - 1]
    page_end = body + sum(tail[table:body])
    rest = tail[page_end : page_end + 4]
    if page_end > len(tail) or (rest and b"OggS".startswith(rest)):
        return "the last Ogg page is not complete"
    if not tail[page + 5] & OGG_LAST:
        return "the last Ogg page does not bear the end-of-stream flag"
    return None

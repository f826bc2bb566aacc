"""Completeness checks of audio containers.

libsndfile decodes truncated files of most formats without an error, and the clip silently lacks its end. The checks
here find such files. The first bytes of a file select its rule:

- WAV (RIFF, RIFX, RF64), W64, AIFF, AIFC, AU and CAF: the data chunk must be as long as its header says. The pad byte
  after the chunk may be missing. A program that writes into a pipe cannot correct the size afterwards, so it writes a
  placeholder. These sizes mean that the length is unknown: 0, -1, and sizes at most 8 kB below 2 GiB, 4 GiB, 2**63,
  2**64 or SoX's 0x7F000008 for AIFF.
- Ogg (Vorbis, Opus, FLAC): the last page must be complete and have the end-of-stream flag that RFC 3533 requires.
- MP3: if the first frame is a Xing, Info or VBRI header that gives a number of bytes, the file must have at least as
  many. The last frame must be complete. Tags (ID3, APE, Lyrics3) do not count as frames.
- FLAC and all other formats: not checked here. For FLAC, `audiopipe.audio.reading` compares the number of samples.

The checks cannot find these truncated files: an MP3 file without such a header, cut exactly between two frames; a file
of chained Ogg streams, cut exactly between two streams; a stream of unknown length that broke off. Data after the
samples, such as tags, is not checked.

A check reads a few headers at the beginning or at most 64 kB at the end, whatever sizes the file claims.
"""

import struct
from typing import BinaryIO

from audiopipe.audio import mpeg

MAX_CHUNKS = 1000  # a damaged file may consist of empty chunks only
STREAM_SLACK = 8192  # programs round placeholder sizes down to whole frames, or subtract the header
OGG_PAGE = 27 + 255 + 255 * 255
OGG_LAST = 0x04


def missing(file: BinaryIO) -> str | None:
    """Returns what is missing from a file according to its container.

    Args:
        file: Seekable binary file. The container begins at the current position, which is restored afterwards.

    Returns:
        Part of a sentence, such as `"the data chunk has 2000 of 4000 bytes"`. None if nothing is missing, or if the
        container cannot show it.

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
            return f"the file ends {start - end} bytes before the end of its ID3 tag"
        return _missing(file, start, end, tagged=start > origin)
    except struct.error:
        return None  # a header is incomplete, so decoding fails anyway
    finally:
        file.seek(origin)


def _missing(file: BinaryIO, start: int, end: int, tagged: bool) -> str | None:
    head = _at(file, start, 16)
    if head[:4] == b"OggS":
        return _missing_from_ogg(file, start, end)
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
    """Returns whether a size is a placeholder for an unknown one."""
    limits = (0x7F000008, 1 << 31, 1 << 32, 1 << 63, 1 << 64)
    return size <= 0 or any(limit - STREAM_SLACK <= size <= limit for limit in limits)


def _data_chunk(file: BinaryIO, head: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Returns the position of the samples and their size in bytes according to the header."""
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
    """Returns the position and size of the content of the first chunk named `wanted`, or None.

    `counted` is the number of header bytes that the size field includes.
    """
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
        if name == b"ds64":  # RF64 gives the 64-bit size of its data chunk here
            long_size = struct.unpack("<Q", _at(file, position + 8, 8))[0]
        position += size + -size % alignment
    return None


def _missing_from_ogg(file: BinaryIO, start: int, end: int) -> str | None:
    position = max(start, end - OGG_PAGE)
    tail = _at(file, position, OGG_PAGE)
    page = tail.rfind(b"OggS")
    # The version byte of a page is 0. Elsewhere the four letters are data.
    while page > 0 and tail[page + 4 : page + 5] not in (b"\0", b""):
        page = tail.rfind(b"OggS", 0, page)
    table = page + 27
    if page < 0 or len(tail) < table:
        return "the last Ogg page is incomplete"
    body = table + tail[table - 1]
    page_end = body + sum(tail[table:body])
    rest = tail[page_end : page_end + 4]
    if page_end > len(tail) or (rest and b"OggS".startswith(rest)):
        return "the last Ogg page is incomplete"
    if not tail[page + 5] & OGG_LAST:
        return "the last Ogg page lacks the end-of-stream flag"
    return None

"""Ogg files: streams one after another (chained), streams side by side, and pages that are missing.

libsndfile decodes the first stream of a file and stops at its end, so each stream becomes a part of its own. It cannot
decode FLAC in Ogg as FFmpeg and flac write it, but the bodies of the pages, one after another, are a native FLAC file.

All pages are visited, in blocks. Pages have checksums, but checking all of them takes longer than it is worth: libogg
leaves out a damaged page, so the decoder yields fewer samples than the last page promises.

The format: https://www.rfc-editor.org/rfc/rfc3533
"""

import dataclasses
import struct
import zlib
from collections.abc import Iterator

from audiopipe.audio import magic
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss, Part
from audiopipe.wording import noun_of

BLOCK = 1 << 20
LARGEST_PAGE = 27 + 255 + 255 * 255
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
FIRST, LAST, FLAGS = 2, 4, 7
_PAGE = struct.Struct("<4sBBqIIxxxxB")
OPUS_RATE = 48000
# Frames of a packet in units of 2.5 ms by the upper five bits of its first byte: RFC 6716, section 3.1.
OPUS_FRAMES = (4, 8, 16, 24) * 3 + (4, 8) * 2 + (1, 2, 4, 8) * 4
NAMES = {
    b"\x01vorbis": "Vorbis",
    b"OpusHead": "Opus",
    b"\x7fFLAC": "FLAC",
    b"fLaC": "FLAC",
    b"Speex   ": "Speex",
    b"\x80theora": "Theora video",
    b"fishead\0": "Skeleton",
    b"BBCD": "Dirac video",
    b"OVP80": "VP8 video",
    b"PCM     ": "PCM",
    b"CELT    ": "CELT",
    b"\x80kate": "Kate text",
}
READABLE = ("Vorbis", "Opus", "FLAC")


@dataclasses.dataclass
class _Page:
    start: int
    body: int
    end: int
    flags: int
    granule: int
    serial: int
    number: int
    skipped: int  # bytes in front of the page that are no page


@dataclasses.dataclass
class _Stream:
    """One stream and the places of its pages."""

    serial: int
    codec: str | None
    head: bytes
    pages: int = 0
    next_number: int | None = None
    first_granule: int = -1
    first_audible: tuple[int, int] = (0, 0)
    last_granule: int = 0
    ended: bool = False
    packet: int = 0
    gaps: int = 0
    backwards: int = 0
    pieces: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    bodies: list[tuple[int, int]] = dataclasses.field(default_factory=list)


def parts(file: Opened, start: int) -> tuple[list[Part], int]:
    """Returns the streams from `start` on as parts, and the position behind the last page.
    A part without pieces cannot be decoded.
    """
    found: list[Part] = []
    link: dict[int, _Stream] = {}
    only_firsts, strays, skipped, begin, end = True, 0, 0, start, start
    incomplete = False
    for page in _pages(file, start):
        if page is None:
            incomplete = True
            break
        if page.flags & FIRST:
            if not only_firsts:
                found += _link(file, link, begin, end, strays, last=False)
                # Pages in front of the first stream are told with it.
                link, begin, strays = {}, page.start, 0 if link else strays
            only_firsts = True
            begin = page.start if not link else begin
            head = file.at(page.body, min(64, page.end - page.body))
            codec = next((name for magic_bytes, name in NAMES.items() if head.startswith(magic_bytes)), None)
            link[page.serial] = _Stream(page.serial, codec, head)
        else:
            only_firsts = False
        skipped += page.skipped
        stream = link.get(page.serial)
        if stream is None:
            strays += 1
        else:
            _add(stream, page)
            if stream.pages == 3 and stream.codec == "Opus":
                stream.packet = _opus_packet(file.at(page.body, 2))
        end = page.end
    found += _link(file, link, begin, end, strays, last=True, incomplete=incomplete)
    if skipped and found:
        between = f"{skipped} {noun_of(skipped, 'byte')} between the Ogg pages"
        note = f"{between} cannot be read, so a part of the clip may be missing"
        found[0] = dataclasses.replace(found[0], notes=(*found[0].notes, note))
    return found, file.size if incomplete else end


def _pages(file: Opened, start: int) -> Iterator[_Page | None]:
    """Yields the pages of a file, and None at the end if the last one is incomplete."""
    base, data, position, expected = start, file.at(start, BLOCK), start, start
    while position < file.size:
        offset = position - base
        if offset + LARGEST_PAGE + 4 > len(data) and base + len(data) < file.size:
            base, data, offset = position, file.at(position, BLOCK), 0
        if data[offset : offset + 5] == b"OggS\0" and len(data) >= offset + 27 and data[offset + 5] <= FLAGS:
            _, _, flags, granule, serial, number, segments = _PAGE.unpack_from(data, offset)
            body = offset + 27 + segments
            end = body + sum(data[offset + 27 : body])
            # A page that no other one follows may be the beginning of a page, or bytes that look like one.
            follows = data[end : end + 4] in (b"OggS", b"") or _is_intact(data[offset:end])
            if end <= len(data) and follows:
                skipped = position - expected
                yield _Page(position, base + body, base + end, flags, granule, serial, number, skipped)
                position = expected = base + end
                continue
            follower = data.find(b"OggS\0", offset + 4)
            if follower < 0 and end > len(data):
                yield None
                return
        else:
            follower = data.find(b"OggS\0", offset + 1)
        if follower < 0 and base + len(data) < file.size:
            position = base + len(data) - 4
            base, data = position, file.at(position, BLOCK)
        elif follower < 0:
            rest = data[offset : offset + 27]
            if rest[:4] == b"OggS"[: len(rest)]:
                yield None
            return
        elif magic.is_container(data[offset : offset + 16]) and data[offset : offset + 4] != b"OggS":
            return
        else:
            position = base + follower


def _is_intact(page: bytes) -> bool:
    """Returns whether a page has the right checksum.

    zlib's CRC has the same polynomial, with all bits reversed.
    """
    value = zlib.crc32((page[:22] + bytes(4) + page[26:]).translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2) == int.from_bytes(page[22:26], "little")


def _add(stream: _Stream, page: _Page) -> None:
    if stream.next_number is not None and page.number != stream.next_number:
        if page.number < stream.next_number:
            stream.backwards += 1
        else:
            stream.gaps += 1
    stream.next_number = page.number + 1
    stream.pages += 1
    stream.ended = stream.ended or bool(page.flags & LAST)
    if page.granule > 0:
        if stream.first_granule < 0:
            stream.first_granule, stream.first_audible = page.granule, (page.start, page.end)
        stream.last_granule = max(stream.last_granule, page.granule)
    if stream.pieces and stream.pieces[-1][1] == page.start:
        stream.pieces[-1] = stream.pieces[-1][0], page.end
    else:
        stream.pieces.append((page.start, page.end))
    if stream.codec == "FLAC":
        stream.bodies.append((page.body, page.end))


def _link(
    file: Opened,
    link: dict[int, _Stream],
    start: int,
    end: int,
    strays: int,
    *,
    last: bool,
    incomplete: bool = False,
) -> list[Part]:
    """Returns the part that consists of the streams side by side, or none if nothing of them can be decoded."""
    audible = [stream for stream in link.values() if stream.codec in READABLE]
    if not audible:
        if not link:
            return []
        names = ", ".join(sorted({stream.codec or "an unknown codec" for stream in link.values()}))
        return [Part(start, end, (), losses=(Loss(f"an Ogg stream of {names} cannot be decoded"),))]
    stream = audible[0]
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()
    if len(audible) > 1:
        losses += (Loss(f"the file has {len(audible)} streams side by side, and only the first was read"),)
    if strays:
        belong = noun_of(strays, "page belongs", "pages belong")
        losses += (Loss(f"{strays} Ogg {belong} to a stream whose beginning is missing", strays, stream.pages),)
    if stream.backwards:
        places = f"{stream.backwards} {noun_of(stream.backwards, 'place')}"
        losses += (Loss(f"Ogg pages are out of order or repeated at {places}"),)
    if stream.gaps and stream.codec == "FLAC":  # libFLAC fills the gaps, so the number of samples is right
        silent = noun_of(stream.gaps, "gap, which is silent", "gaps, which are silent")
        losses += (Loss(f"the numbers of Ogg pages have {stream.gaps} {silent}"),)
    elif stream.gaps:
        notes += (f"the numbers of Ogg pages have {stream.gaps} {noun_of(stream.gaps, 'gap')}",)
    if last and incomplete:
        notes += ("the last Ogg page is incomplete, so the end of the clip is missing",)
    elif not stream.ended:
        notes += ("the last Ogg page lacks the end-of-stream flag, so the end of the clip may be missing",)
    pieces: tuple[tuple[int, int] | bytes, ...] | None = None
    if stream.codec == "FLAC":
        pieces = _native(stream)
    elif len(link) > 1 or strays or (start, end) != (0, file.size):
        pieces = tuple(stream.pieces)
    frames, rate, slack = _promise(file, stream)
    return [Part(start, end, pieces, frames, rate, slack, losses, notes)]


def _native(stream: _Stream) -> tuple[tuple[int, int] | bytes, ...]:
    """Returns the pieces that form a native FLAC file: https://www.rfc-editor.org/rfc/rfc9639#section-10.1."""
    (begin, end), *others = stream.bodies
    return ((begin + (9 if stream.head.startswith(b"\x7fFLAC") else 0), end), *others)


def _promise(file: Opened, stream: _Stream) -> tuple[int | None, int | None, int]:
    """Returns the number of samples that the last page promises, their rate, and the samples of a packet."""
    if stream.last_granule <= 0:
        return None, None, 0
    if stream.codec == "FLAC":
        return stream.last_granule, None, 0
    if stream.codec == "Opus":
        skipped = int.from_bytes(stream.head[10:12], "little")
        frame, rate = stream.packet, OPUS_RATE
    else:
        skipped, rate = 0, None
        frame = 1 << min(13, stream.head[28] >> 4) if len(stream.head) > 28 else 8192
    # The recording of a running stream does not begin at 0. No page holds more than 255 packets.
    begin = stream.first_granule if stream.first_granule > 255 * frame else 0
    first, end = stream.first_audible
    if begin and not _is_intact(file.at(first, end - first)):
        begin = 0
    return max(0, stream.last_granule - begin - skipped) or None, rate, frame


def _opus_packet(head: bytes) -> int:
    """Returns the number of samples at 48 kHz in the Opus packet with these first bytes."""
    if len(head) < 2:
        return 0
    count = (1, 2, 2, head[1] & 63)[head[0] & 3]
    return OPUS_FRAMES[head[0] >> 3] * count * OPUS_RATE // 400

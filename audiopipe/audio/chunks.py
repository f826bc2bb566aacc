"""Files that consist of chunks: WAV (RIFF, RIFX, RF64), W64, AIFF, AIFC, SVX and CAF.

The chunk of samples must be as long as its header says, and all bytes behind it must form chunks. `sizes` has the rules
for sizes that are placeholders or slightly wrong. libsndfile believes sizes, so it reads a corrected header where one
is wrong.

A check reads a few headers, whatever sizes the file claims.
"""

import dataclasses
import struct

from audiopipe.audio import aiff, sizes, wave
from audiopipe.audio.magic import is_container
from audiopipe.audio.opening import HEAD, Opened
from audiopipe.audio.parts import Loss, Part
from audiopipe.wording import noun_of

MAX_CHUNKS = 1000  # a damaged file may consist of empty chunks only


@dataclasses.dataclass(frozen=True)
class _Style:
    """Form of the chunks of a format.

    Attributes:
        header: Header of a chunk: name and size.
        first: Position of the first chunk.
        samples: Name of the chunk of samples.
        alignment: Chunks begin at multiples of this number.
        counted: Number of header bytes that the size includes.
    """

    header: struct.Struct
    first: int
    samples: bytes
    alignment: int = 2
    counted: int = 0


# Ends of the names of chunks in W64, which are GUIDs.
_GUID = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_LIST_GUID = b"\x2f\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_RIFF = _Style(struct.Struct("<4sI"), 12, b"data")
_RIFX = _Style(struct.Struct(">4sI"), 12, b"data")
_AIFF = _Style(struct.Struct(">4sI"), 12, b"SSND")
_SVX = _Style(struct.Struct(">4sI"), 12, b"BODY")
_W64 = _Style(struct.Struct("<16sq"), 40, b"data" + _GUID, 8, 24)
_CAF = _Style(struct.Struct(">4sq"), 8, b"data", 1)


def style(head: bytes) -> _Style | None:
    """Returns the form of the chunks of a file that begins with these 16 bytes, or None if it has no chunks."""
    match head[:4]:
        case b"RIFF" | b"RF64" if head[8:12] == b"WAVE":
            return _RIFF
        case b"RIFX" if head[8:12] == b"WAVE":
            return _RIFX
        case b"FORM" if head[8:12] in (b"AIFF", b"AIFC"):
            return _AIFF
        case b"FORM" if head[8:12] in (b"8SVX", b"16SV"):
            return _SVX
        case b"riff":
            return _W64
        case b"caff":
            return _CAF
    return None


@dataclasses.dataclass
class _Found:
    """Chunks up to that of the samples."""

    samples: int  # position of the samples
    field: int  # position of their size
    stated: int
    chunks: dict[bytes, tuple[int, int]]


def part(file: Opened, start: int, form: _Style) -> Part | None:
    """Returns the part that begins at `start`, or None if it has no samples."""
    end = file.size
    found = _find(file, start, end, form)
    if found is None:
        return None
    there, stated = end - found.samples, found.stated
    if stated == there > 0 and start == 0:
        return Part(0, end, frames=_frames(file, form, found, stated))
    notes: tuple[str, ...] = ()
    long = None
    if stated == 0:
        behind = _behind(file, form, found.samples, end)
        if behind != found.samples or there <= 0:
            result = sizes.Size(0)
        else:
            there = sizes.unknown(file, found.samples)
            were_read = f"{there} {noun_of(there, 'byte behind it was', 'bytes behind it were')} read as samples"
            note = f"the header says that there are no samples, and the {were_read}"
            result = sizes.Size(there, notes=() if _is_unfinished(file, start, form, found) else (note,))
    else:
        if form in (_RIFF, _RIFX, _AIFF, _SVX) and b"ds64" not in found.chunks:
            long = _wrapped(file, form, found, end)
        if long is not None:
            result = sizes.Size(long, notes=(sizes.wrap_note(stated, long),))
        elif 0 < stated < there and _behind(file, form, *_next(file, form, found, end)) == end:
            result = sizes.Size(stated)
        else:
            result = sizes.of_samples(file, stated, found.samples, found.samples - start, "data chunk")
    losses, pieces, notes = result.losses, None, result.notes
    if result.size != stated:
        pieces = _corrected(file, start, end, form, found, result.size)
        if pieces is None:
            text = f"the header gives {stated} bytes of samples, and the file has {result.size}"
            losses, notes = (*losses, Loss(text, abs(result.size - stated), stated)), ()
    position = found.samples + result.size
    if position < end:
        position, repeated = _end(file, form, found, position, end)
        if repeated:
            losses = (*losses, Loss("the file has 2 chunks of samples, and only the first was read"))
    if pieces is None and form in (_W64, _SVX):
        pieces = ((start, found.samples + result.size),)  # libsndfile takes all that follows for samples
    elif pieces is None and (start, position) != (0, end):
        pieces = ((start, position),)
    return Part(start, position, pieces, _frames(file, form, found, result.size), losses=losses, notes=notes)


def _is_unfinished(file: Opened, start: int, form: _Style, found: _Found) -> bool:
    """Returns whether the header gives no size at all, as FFmpeg writes AIFF and RF64 into a pipe."""
    if b"ds64" in found.chunks:
        return not any(file.at(found.chunks[b"ds64"][0], 24))
    return form is _AIFF and not any(file.at(start + 4, 4))


def _find(file: Opened, start: int, end: int, form: _Style) -> _Found | None:
    position, header = start + form.first, form.header.size
    chunks: dict[bytes, tuple[int, int]] = {}
    head = file.at(start, HEAD)
    for _ in range(MAX_CHUNKS):
        if position + header > end:
            return None
        if position - start + header <= len(head):
            name, size = form.header.unpack_from(head, position - start)
        else:
            name, size = form.header.unpack(file.at(position, header))
        field, size = position + len(name), size - form.counted
        position += header
        if name == form.samples:
            if b"ds64" in chunks and size == 0xFFFFFFFF:  # RF64 gives the 64-bit size of its data chunk here
                field = chunks[b"ds64"][0] + 8
                size = struct.unpack("<Q", file.at(field, 8))[0]
            return _Found(position, field, size, chunks)
        if size < 0:
            return None
        chunks[name] = position, size
        position += size + -size % form.alignment
    return None


def _next(file: Opened, form: _Style, found: _Found, end: int, size: int | None = None) -> tuple[int, int]:
    """Returns the position behind the samples and their pad bytes, and the end."""
    position = found.samples + (found.stated if size is None else size)
    return min(end, position + -position % form.alignment) if form.alignment == 2 else position, end


def _wrapped(file: Opened, form: _Style, found: _Found, end: int) -> int | None:
    long = sizes.wrapped(found.stated, end - found.samples)
    if long is None or sizes.is_placeholder(found.stated):
        return None
    return long if _behind(file, form, *_next(file, form, found, end, long)) == end else None


def _end(file: Opened, form: _Style, found: _Found, position: int, end: int) -> tuple[int, bool]:
    """Returns the end of the file that has samples up to `position`, and whether more samples follow."""
    padding = -(position - found.samples) % form.alignment
    # Some writers forget the pad bytes.
    for begin in dict.fromkeys((position + padding, position)):
        behind = _behind(file, form, begin, end)
        if behind > begin or begin == end or is_container(file.at(begin, 16)):
            return _until_samples(file, form, begin, behind)
    return position, False


def _behind(file: Opened, form: _Style, position: int, end: int) -> int:
    """Returns the position behind the chunks from `position` on, where what follows forms no chunk."""
    header = form.header.size
    for _ in range(MAX_CHUNKS):
        if position >= end or end - position < header:
            return end if position >= end else position
        name, size = form.header.unpack(file.at(position, header))
        size -= form.counted
        if not all(32 <= letter < 127 for letter in name[:4]) or (form is _W64 and name[4:] not in (_GUID, _LIST_GUID)):
            return position
        behind = position + header + size
        if size < 0 or behind > end or is_container(file.at(position, 16)):
            return position
        position = behind + -size % form.alignment
    return position


def _until_samples(file: Opened, form: _Style, position: int, end: int) -> tuple[int, bool]:
    """Returns the end of chunks, and whether one of them holds samples."""
    while position < end:
        name, size = form.header.unpack(file.at(position, form.header.size))
        if name == form.samples and size > form.counted:
            return end, True
        position += form.header.size + size - form.counted
        position += -(size - form.counted) % form.alignment
    return end, False


def _corrected(
    file: Opened, start: int, end: int, form: _Style, found: _Found, size: int
) -> tuple[tuple[int, int] | bytes, ...] | None:
    """Returns the pieces of a file whose header gives the right size, or None if libsndfile could not read any."""
    samples = found.samples, found.samples + size
    if size >= sizes.WRAP - found.samples and form in (_RIFF, _RIFX, _AIFF, _SVX) and b"ds64" not in found.chunks:
        if form is _RIFF:
            return (*wave.long_header(start, found.samples, size), samples)
        return aiff.long_header(file, found.chunks, found.samples, size) if form is _AIFF else None
    in_ds64 = found.field < found.samples - 8
    length = 8 if in_ds64 or form in (_W64, _CAF) else 4
    number = (size + form.counted).to_bytes(length, "little" if form in (_RIFF, _W64) else "big")
    behind = min(end, found.samples + size)
    return (start, found.field), number, (found.field + length, behind)


def _frames(file: Opened, form: _Style, found: _Found, size: int) -> int | None:
    """Returns the number of samples per channel that the sizes promise, or None if the codec is not linear."""
    if form is _CAF and b"pakt" in found.chunks:  # the table of packets gives the number of valid frames
        return int.from_bytes(file.at(found.chunks[b"pakt"][0] + 8, 8), "big")
    if form is _AIFF and b"COMM" in found.chunks:
        return aiff.frames(file.at(found.chunks[b"COMM"][0], 22)[: found.chunks[b"COMM"][1]], size)
    chunk = found.chunks.get(b"fmt ")
    if chunk is None or form not in (_RIFF, _RIFX):
        return None
    return wave.frames(file.at(*chunk)[:24], size, little=form is _RIFF)

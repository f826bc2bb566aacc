"""Files with one header in front of the samples: AU, NIST SPHERE, and formats that are rare today; and VOC."""

import re
import struct

from audiopipe.audio import sizes
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss, Part

MAX_BLOCKS = 100_000  # a damaged VOC file may consist of empty blocks only

# Rare formats whose header gives a number of frames: magic, its position, size of the header, form and position of the
# number. https://github.com/libsndfile/libsndfile: src/avr.c, src/wve.c
RARE = (
    (b"2BIT", 0, 128, ">I", 26),
    (b"ALawSoundFile**\0", 0, 32, ">I", 18),
)


def part(file: Opened, start: int, head: bytes) -> Part | None:
    """Returns the part that begins at `start` with these 16 bytes, or None if its format has no such header."""
    if head[:4] in (b".snd", b"dns."):
        return _au(file, start)
    if head[:8] == b"NIST_1A\n":
        return _nist(file, start)
    if head == b"Creative Voice F":
        return _voc(file, start)
    return None


def _au(file: Opened, start: int) -> Part | None:
    header = file.at(start, 24)
    if len(header) < 24:
        return None
    order = ">" if header[:4] == b".snd" else "<"
    offset, stated = struct.unpack(order + "II", header[4:12])
    samples = start + offset
    there = file.size - samples
    if there < 0:
        return None
    if stated == 0 and there > 0:
        result = sizes.Size(there)  # the specification has no empty files, and writers use 0 for an unknown size
    elif sizes.wrapped(stated, there) == there and not sizes.is_placeholder(stated):
        result = sizes.Size(there, notes=(sizes.wrap_note(stated, there),))
    else:
        result = sizes.of_samples(stated, there, offset, "data chunk")
    notes, end = result.notes, samples + result.size
    pieces: tuple[tuple[int, int] | bytes, ...] | None = None
    if result.size != stated:
        number = struct.pack(order + "I", result.size if result.size < 0xFFFFFFFF else 0xFFFFFFFF)
        pieces = (start, start + 8), number, (start + 12, end)
    elif (start, end) != (0, file.size):
        pieces = ((start, end),)
    return Part(start, end, pieces, losses=result.losses, notes=notes)


def _nist(file: Opened, start: int) -> Part | None:
    match = re.match(rb"NIST_1A\n *(\d{1,7})\n", file.at(start, 16))
    if match is None:
        return None
    length = int(match[1])
    fields = dict(re.findall(rb"^(\w+) -\w+ (\S+)", file.at(start, length), re.MULTILINE))
    try:
        count = int(fields[b"sample_count"])
        width = int(fields.get(b"channel_count", b"1")) * int(fields[b"sample_n_bytes"])
    except (KeyError, ValueError):
        return Part(start, file.size)
    samples = start + length
    there = file.size - samples
    result = sizes.of_samples(count * width, there, length, "stretch of samples")
    end = samples + result.size
    pieces = None if (start, end) == (0, file.size) else ((start, end),)
    return Part(start, end, pieces, result.size // width if width else None, losses=result.losses, notes=result.notes)


def _voc(file: Opened, start: int) -> Part | None:
    """Counts the blocks of a VOC file: https://wiki.multimedia.cx/index.php/Creative_Voice."""
    position = start + int.from_bytes(file.at(start + 20, 2), "little")
    sound, losses = 0, []
    for _ in range(MAX_BLOCKS):
        header = file.at(position, 4)
        if header[:1] in (b"", b"\0"):
            position = min(file.size, position + 1)
            break
        if len(header) < 4 or header[0] > 9:
            break
        size = int.from_bytes(header[1:], "little")
        there = file.size - position - 4
        if header[0] in (1, 2, 3, 9):
            sound += 1
        if size > there:
            if header[0] in (1, 2, 9):
                result = sizes.of_samples(size, there, position + 4 - start, "block of sound")
                losses += [*result.losses]
                if result.notes:
                    losses.append(Loss(result.notes[0], size - there, there))
            position = file.size
            break
        position += 4 + size
    if sound > 1:
        losses.append(Loss(f"the file has {sound} blocks of sound, 1 read"))
    pieces = None if (start, position) == (0, file.size) else ((start, position),)
    return Part(start, position, pieces, losses=tuple(losses))

"""Files with one header in front of the samples: AU, NIST SPHERE, and formats that are rare today."""

import re
import struct

from audiopipe.audio import magic, sizes
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss, Part

# First bytes of formats as libsndfile writes them: https://github.com/libsndfile/libsndfile, src/avr.c and others.
AVR, MPC2K, WVE = b"2BIT", b"\x01\x04", b"ALawSoundFile**\0"
# IRCAM, PVF and PAF, whose headers give no length.
UNSIZED = re.compile(rb"\x64\xa3[\1-\4]\0|\0[\1-\4]\xa3\x64|PVF1|[ ]paf|fap[ ]")


def part(file: Opened, start: int, head: bytes) -> Part | None:
    """Returns the part that begins at `start` with these 16 bytes, or None if its format has no such header."""
    if head[:4] in (b".snd", b"dns."):
        return _au(file, start)
    if head[:8] == b"NIST_1A\n":
        return _nist(file, start)
    if UNSIZED.match(head):
        end = next(magic.places(file.at, start + 16, file.size), file.size)
        return Part(start, end, None if (start, end) == (0, file.size) else ((start, end),))
    return _rare(file, start, head)


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
        result = sizes.Size(
            sizes.unknown(file, samples)
        )  # the specification has no empty files, and writers use 0 for an unknown size
    elif sizes.wrapped(stated, there) == there and not sizes.is_placeholder(stated):
        result = sizes.Size(there, notes=(sizes.wrap_note(stated, there),))
    else:
        result = sizes.of_samples(file, stated, samples, offset, "data chunk")
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
        return Part(start, file.size, losses=(Loss("the NIST header does not give its own size"),))
    length = int(match[1])
    fields = dict(re.findall(rb"^(\w+) -\w+ (\S+)", file.at(start, length), re.MULTILINE))
    try:
        count = int(fields[b"sample_count"])
        width = int(fields.get(b"channel_count", b"1")) * int(fields[b"sample_n_bytes"])
    except (KeyError, ValueError):
        return Part(start, file.size)
    samples = start + length
    result = sizes.of_samples(file, count * width, samples, length, "stretch of samples")
    end = samples + result.size
    pieces = None if (start, end) == (0, file.size) else ((start, end),)
    return Part(start, end, pieces, result.size // width if width else None, losses=result.losses, notes=result.notes)


def _rare(file: Opened, start: int, head: bytes) -> Part | None:
    """Returns the part of a format that is rare today, whose header gives a number of frames."""
    if head.startswith(AVR):
        size = 128
        stereo, bits = struct.unpack(">HH", file.at(start + 12, 4))
        frames, width = struct.unpack(">I", file.at(start + 26, 4))[0], (2 if stereo else 1) * bits // 8
    elif start == 0 and head.startswith(MPC2K) and head[2:16].isascii():
        size = 42
        frames, width = struct.unpack("<I", file.at(start + 30, 4))[0], 4 if file.at(start + 21, 1) == b"\1" else 2
    elif head == WVE:
        size, frames, width = 32, struct.unpack(">I", file.at(start + 18, 4))[0], 1
    else:
        return None
    stated = frames * width
    if stated == 0:
        result = sizes.Size(sizes.unknown(file, start + size))
    else:
        result = sizes.of_samples(file, stated, start + size, size, "stretch of samples")
    end = start + size + result.size
    pieces = None if (start, end) == (0, file.size) else ((start, end),)
    return Part(start, end, pieces, losses=result.losses, notes=result.notes)

"""Headers of MPEG audio frames (MP1, MP2, MP3), and the first frame of a file, which announces the others."""

import dataclasses
import functools
import re
import struct

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


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """What the header of a frame says.

    Attributes:
        size: Number of bytes of the frame. 0 if the four bytes are no header, or give no length.
        kind: What is equal in all frames of a stream: version, layer, rate, and whether it is mono.
        samples: Number of samples per channel.
        rate: Sample rate in hertz.
    """

    size: int
    kind: tuple[int, ...] = ()
    samples: int = 0
    rate: int = 0


NO_FRAME = Frame(0)


@functools.lru_cache(8192)
def frame(header: bytes) -> Frame:
    """Returns what a header of four bytes says."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return NO_FRAME
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bit_rate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or bit_rate in (0, 15) or rate == 3:
        return NO_FRAME
    is_1 = version == 3
    bits = (MPEG_1 if is_1 else MPEG_2)[layer][bit_rate - 1] * 1000
    sample_rate = SAMPLE_RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    padding = header[2] >> 1 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and not is_1 else 1152
    size = (12 * bits // sample_rate + padding) * 4 if layer == 1 else samples // 8 * bits // sample_rate + padding
    return Frame(size, (version, layer, rate, int(header[3] >> 6 == 3)), samples, sample_rate)


def has_chain(data: bytes) -> bool:
    """Returns whether some bytes hold three frames of one kind in a row, or two up to their end."""
    for match in SYNC.finditer(data):
        begin = match.start()
        first = following = frame(data[begin : begin + 4])
        count = 0
        while following.size and following.kind == first.kind:
            count, begin = count + 1, begin + following.size
            if count == 3 or (count == 2 and begin == len(data)):
                return True
            following = frame(data[begin : begin + 4])
    return False


class Sizes(dict[bytes, int]):
    """Sizes of the frames of one kind by their headers. Other headers have the size 0."""

    def __init__(self, kind: tuple[int, ...]):
        super().__init__()
        self.kind = kind

    def __missing__(self, header: bytes) -> int:
        found = frame(header)
        if len(self) < 4096:
            self[header] = found.size if found.kind == self.kind else 0
        return found.size if found.kind == self.kind else 0


@functools.lru_cache(64)
def sizes(kind: tuple[int, ...]) -> Sizes:
    """Returns the sizes of the frames of a kind."""
    return Sizes(kind)


def place_of_announcement(kind: tuple[int, ...]) -> int:
    """Returns where a frame of a kind holds the letters of a Xing or Info header: behind the side information."""
    is_1, mono = kind[0] == 3, kind[3]
    return 4 + ((17 if mono else 32) if is_1 else (9 if mono else 17))


@dataclasses.dataclass(frozen=True, slots=True)
class Announcement:
    """What a Xing, Info or VBRI header says.

    Attributes:
        frames: Number of frames that follow, or 0 if it does not tell.
        size: Number of bytes from the first frame on, or 0.
        cut: Number of samples that decoders leave out at the beginning and at the end, or 0.
    """

    frames: int
    size: int
    cut: int = 0


def announcement(content: bytes) -> Announcement | None:
    """Returns what the frame that begins with these bytes announces, or None if it is an ordinary frame.

    The headers: https://www.codeproject.com/Articles/8295/MPEG-Audio-Frame-Header and, for the samples to leave out,
    http://gabriel.mp3-tech.org/mp3infotag.html
    """
    if content[36:42] == b"VBRI\0\1" and len(content) >= 54:
        size, frames = struct.unpack(">2I", content[46:54])
        return Announcement(frames, size)
    found = re.search(rb"Xing|Info", content[:42])  # at 13 to 36 by version and channels; 2 later with a CRC
    if found is None or len(content) < found.end() + 12:
        return None
    at = found.end()
    flags = int.from_bytes(content[at : at + 4], "big")
    at += 4
    if flags > 15:
        return None
    frames = size = cut = 0
    if flags & 1:
        frames, at = int.from_bytes(content[at : at + 4], "big"), at + 4
    if flags & 2:
        size, at = int.from_bytes(content[at : at + 4], "big"), at + 4
    at += (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    if content[at : at + 4] in (b"LAME", b"Lavf", b"Lavc") and len(content) >= at + 24:
        both = int.from_bytes(content[at + 21 : at + 24], "big")
        cut = (both >> 12) + (both & 0xFFF)
    return Announcement(frames, size, cut)

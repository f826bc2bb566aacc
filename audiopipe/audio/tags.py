"""Tags in front of, between and behind audio: ID3, APE and Lyrics3."""

import struct

from audiopipe.audio.opening import Opened


def behind(file: Opened, position: int) -> int:
    """Returns the position after the ID3v2 tags at `position`.

    If a tag is truncated, that position is beyond the end of the file.
    """
    while True:
        tag = file.at(position, 10)
        if len(tag) < 10 or tag[:3] != b"ID3":
            return position
        position += 10 + _seven_bits(tag[6:]) + (10 if tag[5] & 0x10 else 0)


def before(file: Opened, start: int, end: int) -> int:
    """Returns the position of the first ID3v1, APE or Lyrics3 tag at the end; the tags may come in any order."""
    while True:
        begin = max(start, end - 128)
        tail = file.at(begin, end - begin)
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


def behind_all(file: Opened, position: int) -> int:
    """Returns the position after tags of any kind at `position`, at most the end of the file."""
    while True:
        head = file.at(position, 32)
        if head[:3] == b"TAG":
            size = 227 if head[3:4] == b"+" else 128
        elif head[:3] == b"ID3":
            size = behind(file, position) - position
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            # The size excludes the header, which is here if bit 29 is set: this is the header, not the footer.
            size = struct.unpack("<I", head[12:16])[0] + 32 if head[23] & 0x20 else 32
        elif head[:11] == b"LYRICSBEGIN":
            text = file.at(position, 1 << 20)
            end = max(text.find(b"LYRICS200"), text.find(b"LYRICSEND"))
            if end < 0:
                return position
            size = end + 9
        else:
            return position
        if size <= 0:
            return position
        if position + size >= file.size:
            return file.size
        position += size


def _seven_bits(four: bytes) -> int:
    return four[0] << 21 | four[1] << 14 | four[2] << 7 | four[3]

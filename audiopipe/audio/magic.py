"""First bytes of audio containers."""

from collections.abc import Callable, Iterator

_NAMES = (
    b"RIFF",
    b"RIFX",
    b"RF64",
    b"FORM",
    b"riff",
    b"caff",
    b".snd",
    b"dns.",
    b"fLaC",
    b"OggS",
    b"NIST",
    b"Crea",
    b"2BIT",
)
_BEGINNINGS = {name[:2] for name in _NAMES}
# Four bytes from the alphabet of the names in a row are rare, so compressed audio is searched for all names at once.
_IN_NAMES = bytes(value in b"".join(_NAMES) for value in range(256))
_BLOCK = 1 << 20
AIFF_KINDS = (b"AIFF", b"AIFC", b"8SVX", b"16SV")


def is_container(head: bytes) -> bool:
    """Returns whether a file that begins with these 16 bytes is of a format that audiopipe looks into.

    MP3 has no container; see `audiopipe.audio.mpeg.is_stream`.
    """
    if head[:2] not in _BEGINNINGS:
        return False
    match head[:4]:
        case b"RIFF" | b"RIFX" | b"RF64":
            return head[8:12] == b"WAVE"
        case b"FORM":
            return head[8:12] in AIFF_KINDS
        case b"riff":
            return head[4:16] == b"\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
        case b"caff":
            return head[4:6] == b"\0\1"
        case b".snd":
            return head[4:6] == b"\0\0"
        case b"dns.":
            return head[6:8] == b"\0\0"
        case b"fLaC":
            return head[4:8] in (b"\0\0\0\x22", b"\x80\0\0\x22")
        case b"OggS":
            return head[4:5] == b"\0" and head[5:6] != b"" and head[5] & 2 == 2
        case b"NIST":
            return head[:8] == b"NIST_1A\n"
        case b"2BIT":
            return head[12:16] in (b"\0\0\0\x08", b"\0\0\0\x10", b"\xff\xff\0\x08", b"\xff\xff\0\x10")
        case b"Crea":
            return head == b"Creative Voice F"
    return False


def positions(data: bytes) -> Iterator[int]:
    """Yields the positions in some bytes where a container seems to begin."""
    marks = data.translate(_IN_NAMES)
    at = marks.find(b"\1\1\1\1")
    while at >= 0:
        if is_container(data[at : at + 16]):
            yield at
        at = marks.find(b"\1\1\1\1", at + 1)


def places(at: Callable[[int, int], bytes], start: int, end: int) -> Iterator[int]:
    """Yields the positions between `start` and `end` of a file where a container seems to begin.

    Args:
        at: Function of a position and a size that returns bytes of the file.
        start: Where the search begins.
        end: Where it ends.
    """
    for begin in range(start, end, _BLOCK):
        for offset in positions(at(begin, min(_BLOCK + 15, end - begin))):
            if offset < _BLOCK:
                yield begin + offset

"""Headers of AIFF files whose size takes more than 32 bits."""

import math
import struct

from audiopipe.audio.opening import Opened

# Encodings of AU by bits per sample, and by compression of AIFC.
LINEAR = {8: 2, 16: 3, 24: 4, 32: 5}
COMPRESSED = {b"fl32": 6, b"FL32": 6, b"fl64": 7, b"FL64": 7, b"ulaw": 1, b"ULAW": 1, b"alaw": 27, b"ALAW": 27}


def long_header(
    file: Opened, chunks: dict[bytes, tuple[int, int]], samples: int, size: int
) -> tuple[tuple[int, int] | bytes, ...] | None:
    """Returns the pieces of an AU file of unknown size with the samples of an AIFF file.

    AIFF has no 64-bit sizes, and samples are stored in the same way in both formats.

    Returns:
        None if AU cannot hold the samples, or if their format follows behind them.
    """
    if b"COMM" not in chunks:
        return None
    comm = file.at(chunks[b"COMM"][0], 22)
    channels, _, bits, exponent, mantissa = struct.unpack(">hIhHQ", comm[:18])
    rate = round(math.ldexp(mantissa, exponent - 16383 - 63))
    compression = comm[18:22] if chunks[b"COMM"][1] >= 22 else b"NONE"
    encoding = LINEAR.get(bits) if compression in (b"NONE", b"twos") else COMPRESSED.get(compression)
    if encoding is None:
        return None
    offset = struct.unpack(">I", file.at(samples, 4))[0]
    head = struct.pack(">4s5I", b".snd", 24, 0xFFFFFFFF, encoding, rate, channels)
    return head, (samples + 8 + offset, samples + size)

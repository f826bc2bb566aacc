"""Headers of AIFF files: their number of samples, and sizes that take more than 32 bits."""

import math
import struct

from audiopipe.audio.opening import Opened

# Encodings of AU by bits per sample, and by compression of AIFC.
LINEAR = {8: 2, 16: 3, 24: 4, 32: 5}
COMPRESSED = {b"fl32": 6, b"FL32": 6, b"fl64": 7, b"FL64": 7, b"ulaw": 1, b"ULAW": 1, b"alaw": 27, b"ALAW": 27}
SAME_WIDTH = (b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64")
LAWS = (b"ulaw", b"ULAW", b"alaw", b"ALAW")  # one byte a sample, whatever their header says
POSITIONS = 8  # bytes in front of the samples that count as samples


def frames(comm: bytes, size: int) -> int | None:
    """Returns the number of samples per channel that the COMM chunk gives.

    Args:
        comm: Content of the chunk.
        size: Number of bytes of the chunk of samples.

    Returns:
        None if the codec is not linear, or if the chunk of samples is too small for the number.
    """
    if len(comm) < 18:
        return None
    channels, count, bits = struct.unpack(">HIH", comm[:8])
    compression = comm[18:22] or b"NONE"
    width = channels * (1 if compression in LAWS else (bits + 7) // 8)
    if compression not in (*SAME_WIDTH, *LAWS) or not 0 < count * width <= size - POSITIONS:
        return None
    return int(count)


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

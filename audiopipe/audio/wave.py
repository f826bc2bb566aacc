"""Headers of WAV files."""

import struct

# Format tags of linear PCM, float, A-law and u-law, whose samples have a fixed number of bytes, and of the extension.
# https://learn.microsoft.com/windows/win32/api/mmeapi/ns-mmeapi-waveformatex
FIXED = (1, 3, 6, 7, 0xFFFE)


def frames(fmt: bytes, size: int, little: bool) -> int | None:
    """Returns the number of samples per channel in `size` bytes, or None if the format chunk does not tell."""
    if len(fmt) < 16:
        return None
    tag, channels, _, _, align, bits = struct.unpack("<HHIIHH" if little else ">HHIIHH", fmt[:16])
    if tag not in FIXED or align == 0 or align != channels * ((bits + 7) // 8):
        return None
    return int(size // align)


def long_header(start: int, samples: int, size: int) -> tuple[tuple[int, int] | bytes, ...]:
    """Returns the header of an RF64 file (EBU Tech 3306) with the chunks of a WAV file whose size takes over 32 bits.

    Args:
        start: Position of the WAV file.
        samples: Position of its samples.
        size: Number of bytes of its samples.
    """
    ds64 = struct.pack("<4sI3QI", b"ds64", 28, samples - start + 28 + size, size, 0, 0)
    head = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + ds64
    return head, (start + 12, samples - 8), struct.pack("<4sI", b"data", 0xFFFFFFFF)
